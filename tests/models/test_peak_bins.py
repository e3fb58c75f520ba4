"""Peak windows against a direct search and direct sums."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch

from corespot.errors import ModelError
from corespot.models import peak_bins
from corespot.models.peak_bins import PeakBins, peak_windows

SCALE = 1.7


def spectra(
    n: int = 60, n_bins: int = 120, seed: int = 0
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Spots with peaks of many heights at shared places; two classes."""
    rng = np.random.default_rng(seed)
    centres = np.arange(5, n_bins - 3, 9)
    shapes = np.exp(-0.5 * ((np.arange(n_bins) - centres[:, None]) / 1.4) ** 2)
    heights = rng.gamma(2.0, size=(n, len(centres))) * rng.gamma(1.0, size=len(centres))
    x = heights @ shapes + 0.01 * rng.random((n, n_bins))
    return x.astype(np.float32), rng.integers(0, 2, n)


def reference(
    x: npt.NDArray[np.floating], y: npt.NDArray[np.int64], n_peaks: int, reach: int
) -> npt.NDArray[np.float64]:
    """Channels the slow way: a loop over the bins of the mean, then one over the windows."""
    scaled = x.astype(np.float64) * SCALE
    mean = np.stack([scaled[y == c].mean(axis=0) for c in np.unique(y)]).max(axis=0)
    n_bins = len(mean)
    tops = [
        k
        for k in range(n_bins)
        if (k == 0 or mean[k] > mean[k - 1]) and (k == n_bins - 1 or mean[k] > mean[k + 1])
    ]
    windows = []
    for top in tops:
        left = right = top
        # Downhill on both sides; the foot itself belongs to no peak, except at the ends.
        while left > 0 and mean[left - 1] < mean[left] and top - left < reach:
            if left > 1 and mean[left - 2] > mean[left - 1]:
                break
            left -= 1
        while right < n_bins - 1 and mean[right + 1] < mean[right] and right - top < reach:
            if right < n_bins - 2 and mean[right + 2] > mean[right + 1]:
                break
            right += 1
        windows.append(scaled[:, left : right + 1].sum(axis=1))
    sums = np.stack(windows, axis=1)
    kept = np.sort(np.argsort(-sums.std(axis=0))[:n_peaks])
    logs = np.log(1.0 + sums[:, kept])
    result: npt.NDArray[np.float64] = (logs - logs.mean(axis=0)) / logs.std(axis=0)
    return result


def fitted(
    x: npt.NDArray[np.floating], y: npt.NDArray[np.int64], n_peaks: int, reach: int = 5
) -> PeakBins:
    front = PeakBins(x.shape[1], n_peaks, reach)
    front.fit(x, y, SCALE)
    return front


def channels(front: PeakBins, x: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    return front(torch.from_numpy(np.asarray(x, dtype=np.float32) * np.float32(SCALE))).numpy()


@pytest.mark.parametrize("reach", [1, 2, 5])
@pytest.mark.parametrize("n_peaks", [4, 9])
def test_channels_are_those_of_a_direct_search(n_peaks: int, reach: int) -> None:
    x, y = spectra()
    front = fitted(x, y, n_peaks, reach)
    np.testing.assert_allclose(channels(front, x), reference(x, y, n_peaks, reach), atol=2e-5)


def test_windows_end_before_the_neighbouring_minima() -> None:
    mean = np.array([3.0, 1, 2, 5, 5, 2, 0, 0, 1, 4, 3, 2, 1, 1, 2])
    apex, first, stop = peak_windows(mean, reach=50)
    assert apex.tolist() == [0, 3, 9, 14]
    assert first.tolist() == [0, 2, 7, 13]
    assert stop.tolist() == [1, 6, 12, 15]
    _, first, stop = peak_windows(mean, reach=1)
    assert first.tolist() == [0, 2, 8, 13]
    assert stop.tolist() == [1, 5, 11, 15]


def test_windows_lie_in_order_without_overlap_round_their_apex() -> None:
    x, y = spectra(seed=3)
    front = fitted(x, y, 8)
    assert (front.first <= front.apex).all()
    assert (front.apex < front.stop).all()
    assert (front.stop[:-1] <= front.first[1:]).all()


def test_a_peak_of_a_small_class_counts() -> None:
    # In the mean over all spots its place is a slope of the large peak beside it, not a maximum.
    x = np.zeros((100, 40), dtype=np.float32)
    x[:, 18:23] = [1, 6, 9, 6, 3]
    y = np.zeros(100, dtype=np.int64)
    y[:4] = 1
    x[:4] = 0
    x[:4, 24:27] = [2, 8, 2]
    x *= np.linspace(0.5, 1.5, 100, dtype=np.float32)[:, None]
    assert fitted(x, y, 2).apex.tolist() == [20, 25]


def test_the_windows_that_vary_most_are_kept() -> None:
    rng = np.random.default_rng(1)
    x = np.zeros((50, 60), dtype=np.float32)
    x[:, 10] = 100.0  # high, but always the same
    x[:, 30] = 5 + rng.random(50)
    x[:, 50] = 1 + 0.1 * rng.random(50)
    front = fitted(x, np.arange(50) % 2, 1)
    assert front.apex.tolist() == [30]
    assert fitted(x, np.arange(50) % 2, 2).apex.tolist() == [30, 50]


def test_fewer_peaks_than_channels_leave_channels_at_zero() -> None:
    x, y = spectra(n_bins=60)
    n_peaks = 50
    values = channels(fitted(x, y, n_peaks), x)
    n_found = len(peak_windows(np.stack([x[y == c].mean(0) for c in (0, 1)]).max(0), 5)[0])
    assert 5 < n_found < n_peaks
    assert values.shape == (60, n_peaks)
    np.testing.assert_allclose(values[:, :n_found].std(axis=0), 1.0, atol=1e-4)
    assert not values[:, n_found:].any()


@pytest.mark.parametrize("n_peaks", [12, 40])
def test_a_peak_list_keeps_every_bin(n_peaks: int) -> None:
    rng = np.random.default_rng(2)
    x = rng.gamma(1.0, size=(30, 12)).astype(np.float32)
    front = fitted(x, np.arange(30) % 3, n_peaks)
    logs = np.log1p(SCALE * x.astype(np.float64))
    expected = (logs - logs.mean(axis=0)) / logs.std(axis=0)
    assert front.n_channels == 12
    np.testing.assert_allclose(channels(front, x), expected, atol=1e-5)


def test_reach_zero_takes_single_bins_of_a_long_peak_list() -> None:
    rng = np.random.default_rng(2)
    x = rng.gamma(1.0, size=(80, 30)) * np.where(np.isin(np.arange(30), [3, 4, 17]), 5.0, 1.0)
    front = fitted(x, np.arange(80) % 2, 3, reach=0)
    assert front.apex.tolist() == [3, 4, 17]
    assert (front.stop - front.first).tolist() == [1, 1, 1]


@pytest.mark.parametrize("reach", [0, 4])
def test_gradients_are_those_of_finite_differences(reach: int) -> None:
    x, y = spectra(n=20)
    front = fitted(x, y, 6, reach).double()
    at = torch.from_numpy(x[:3].astype(np.float64)).requires_grad_()
    assert torch.autograd.gradcheck(front, (at,), eps=1e-5, atol=1e-6)
    (slope,) = torch.autograd.grad(front(at).sum(), at)
    windows = zip(front.first.tolist(), front.stop.tolist(), strict=True)
    inside = np.isin(np.arange(x.shape[1]), [k for a, b in windows for k in range(a, b)])
    np.testing.assert_array_equal((slope[0] != 0).numpy(), inside)


def test_a_fit_in_blocks_is_the_fit_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = spectra()
    whole = fitted(x, y, 7).state_dict()
    monkeypatch.setattr(peak_bins, "_BLOCK_VALUES", 7 * x.shape[1])
    for name, value in fitted(x, y, 7).state_dict().items():
        torch.testing.assert_close(value, whole[name], rtol=1e-6, atol=1e-6)


def test_order_of_spots_and_unit_of_intensity_do_not_matter() -> None:
    x, y = spectra()
    expected = channels(fitted(x, y, 7), x)
    order = np.random.default_rng(0).permutation(len(x))
    np.testing.assert_allclose(channels(fitted(x[order], y[order], 7), x), expected, atol=1e-5)
    other = PeakBins(x.shape[1], 7)
    other.fit(x * 1e-5, y, SCALE * 1e5)
    np.testing.assert_allclose(channels(other, x), expected, atol=1e-4)


def test_spectra_below_zero_constant_or_empty_stay_finite() -> None:
    x = np.zeros((10, 30), dtype=np.float32)
    y = np.arange(10) % 2
    assert not channels(fitted(x, y, 4), x).any()
    x[:, 8] = 5.0
    values = channels(fitted(x, y, 4), x - 3.0)
    assert np.isfinite(values).all()
    half = np.random.default_rng(0).random((10, 30)).astype(np.float16) * np.float16(3e4)
    assert np.isfinite(channels(fitted(half, y, 4), half)).all()


def test_saved_buffers_give_the_same_channels() -> None:
    x, y = spectra()
    front, other = fitted(x, y, 7), PeakBins(x.shape[1], 7)
    other.load_state_dict(front.state_dict())
    np.testing.assert_array_equal(channels(other, x), channels(front, x))


def test_what_cannot_be_fitted_is_refused() -> None:
    with pytest.raises(ModelError, match="1 or more"):
        PeakBins(10, 0)
    with pytest.raises(ModelError, match=r"expected spectra of 10 bins.*\(4, 11\)"):
        PeakBins(10, 3).fit(np.zeros((4, 11), np.float32), np.zeros(4, np.int64))
