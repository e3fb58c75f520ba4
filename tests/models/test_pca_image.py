"""Component images against a direct singular value decomposition."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch

from corespot.errors import ModelError
from corespot.models import pca_image
from corespot.models.pca_image import PcaImage

SCALE = 2.5


def spectra(
    n: int = 70, n_bins: int = 40, seed: int = 0
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Spots that vary along a few directions of different strength."""
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(n, 4)) * [1.0, 0.6, 0.35, 0.2]
    logs = factors @ rng.normal(size=(4, n_bins)) + 0.05 * rng.normal(size=(n, n_bins))
    return np.exp(logs).astype(np.float32), (factors[:, 1] > 0).astype(np.int64)


def fitted(
    x: npt.NDArray[np.floating], y: npt.NDArray[np.int64], n_kept: int = 15, n_components: int = 3
) -> PcaImage:
    front = PcaImage(x.shape[1], n_kept, n_components)
    front.fit(x, y, SCALE)
    return front


def scores(front: PcaImage, x: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    return front(torch.from_numpy(np.asarray(x, dtype=np.float32) * np.float32(SCALE))).numpy()


def reference(x: npt.NDArray[np.floating], bins: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Scores on all components, signs as they come."""
    logs = np.log1p(SCALE * x[:, bins].astype(np.float64))
    logs = (logs - logs.mean(axis=0)) / logs.std(axis=0)
    left, singular, _ = np.linalg.svd(logs, full_matrices=False)
    result: npt.NDArray[np.float64] = left * singular
    return result


def test_scores_are_those_of_a_singular_value_decomposition() -> None:
    x, y = spectra()
    front = fitted(x, y)
    expected = reference(x, front.log_bins.bins.numpy())[:, :3]
    found = scores(front, x)
    expected *= np.sign((expected * found).sum(axis=0))
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_allclose(front.variance, expected.var(axis=0), rtol=1e-5)
    np.testing.assert_allclose(front.low, found.min(axis=0), atol=1e-4)
    np.testing.assert_allclose(front.high, found.max(axis=0), atol=1e-4)
    np.testing.assert_allclose(front.share, expected.var(axis=0) / 15, rtol=1e-5)


def test_the_largest_weight_of_a_component_is_positive() -> None:
    for seed in range(5):
        components = fitted(*spectra(seed=seed)).components.numpy()
        assert (components[np.arange(3), np.abs(components).argmax(axis=1)] > 0).all()
        np.testing.assert_allclose(components @ components.T, np.eye(3), atol=1e-6)


def test_order_of_spots_does_not_matter() -> None:
    x, y = spectra()
    order = np.random.default_rng(0).permutation(len(x))
    np.testing.assert_allclose(
        fitted(x[order], y[order]).components, fitted(x, y).components, atol=1e-6
    )


def test_a_fit_in_blocks_is_the_fit_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = spectra()
    whole = fitted(x, y).state_dict()
    monkeypatch.setattr(pca_image, "_BLOCK_VALUES", 9 * x.shape[1])
    for name, value in fitted(x, y).state_dict().items():
        torch.testing.assert_close(value, whole[name], rtol=1e-6, atol=1e-6)


def test_more_components_than_bins_leave_components_at_zero() -> None:
    x, y = spectra(n_bins=2)
    found = scores(fitted(x, y), x)
    assert found.shape == (70, 3)
    assert found[:, :2].std(axis=0).min() > 0.1
    assert not found[:, 2].any()


def test_spots_that_are_all_alike_stay_finite() -> None:
    x = np.ones((6, 10), dtype=np.float32)
    front = fitted(x, np.arange(6) % 2)
    assert np.isfinite(scores(front, x)).all()
    assert all(torch.isfinite(value).all() for value in front.state_dict().values())


def test_gradients_are_those_of_finite_differences() -> None:
    x, y = spectra(n=30)
    front = fitted(x, y).double()
    at = torch.from_numpy(x[:3].astype(np.float64)).requires_grad_()
    assert torch.autograd.gradcheck(front, (at,), eps=1e-6, atol=1e-5)


def test_saved_buffers_give_the_same_scores() -> None:
    x, y = spectra()
    front, other = fitted(x, y), PcaImage(x.shape[1], 15)
    other.load_state_dict(front.state_dict())
    np.testing.assert_array_equal(scores(other, x), scores(front, x))


def test_no_components_are_refused() -> None:
    with pytest.raises(ModelError, match="one component or more, got 0"):
        PcaImage(10, 5, 0)
