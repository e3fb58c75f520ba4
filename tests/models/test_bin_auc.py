"""2U of every bin, equal in integers to counted pairs and to scipy's ranks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import mannwhitneyu, rankdata

from corespot.errors import ModelError
from corespot.models import bin_auc as module
from corespot.models import bin_auc_kernel as kernel
from corespot.models.bin_auc import bin_auc, twice_u

Ints = npt.NDArray[np.int64]

#: Infinities and NaN are refused at the door of every estimator.
NASTY = {
    np.float32: [-3e38, -1.5, -1e-45, -0.0, 0.0, 1e-45, 1e-40, 1.0, np.nextafter(1, 2, dtype="f4")],
    np.float16: [-65504.0, -1.5, -6e-8, -0.0, 0.0, 6e-8, 1.0, 1.001, 65504.0],
}


def counted(x: npt.NDArray[Any], y: Ints, n_classes: int) -> Ints:
    """The slow reference: all pairs, as the numbers are in float64."""
    values = x.astype(np.float64)
    found = np.zeros((n_classes, x.shape[1]), dtype=np.int64)
    for k in range(n_classes):
        own, rest = values[y == k][:, None], values[y != k][None]
        found[k] = 2 * (own > rest).sum(axis=(0, 1)) + (own == rest).sum(axis=(0, 1))
    return found


def by_ranks(x: npt.NDArray[Any], y: Ints, n_classes: int) -> Ints:
    """Another reference, for more spots: ranks of scipy in float64, which are half integers."""
    twice = (2 * rankdata(x.astype(np.float64), axis=0)).astype(np.int64)
    n = np.bincount(y, minlength=n_classes)
    return np.stack([twice[y == k].sum(axis=0) - n[k] * (n[k] + 1) for k in range(n_classes)])


def labels(n: int, n_classes: int, seed: int = 0) -> Ints:
    y = np.random.default_rng(seed).integers(0, n_classes, n)
    y[:n_classes] = np.arange(n_classes)
    return y


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_it_equals_counted_pairs(dtype: type, data: st.DataObject) -> None:
    n = data.draw(st.integers(3, 70))
    any_number = st.floats(
        width=8 * np.dtype(dtype).itemsize, allow_nan=False, allow_infinity=False
    )
    elements = data.draw(st.sampled_from([st.sampled_from(NASTY[dtype]), any_number]))
    x = data.draw(arrays(dtype, (n, 3), elements=elements))
    n_classes = data.draw(st.integers(2, 3))
    y = labels(n, n_classes, data.draw(st.integers(0, 9)))
    np.testing.assert_array_equal(twice_u(x, y, n_classes), counted(x, y, n_classes))


def clustered(rng: np.random.Generator, shape: tuple[int, int]) -> npt.NDArray[np.float64]:
    """Almost all in a cluster so narrow that the leading digits are the same, some far away."""
    values = 1 + 1e-5 * rng.random(shape)
    values[::40] = 10.0 ** rng.uniform(-30, 30, values[::40].shape)
    return values


KINDS = {
    "log-normal": lambda rng, shape: rng.lognormal(-8, 0.7, shape),
    "half zeros": lambda rng, shape: rng.gamma(1, size=shape) * (rng.random(shape) < 0.5),
    "signs": lambda rng, shape: rng.normal(size=shape) ** 3,
    "few values": lambda rng, shape: rng.integers(-2, 3, shape) * 0.25,
    "one value": lambda _, shape: np.full(shape, -7.5),
    "two values": lambda rng, shape: np.where(rng.random(shape) < 0.01, 1e30, -1e30),
    "all magnitudes": lambda rng, shape: (
        rng.choice([-1, 1], shape) * 10.0 ** rng.uniform(-44, 38, shape)
    ),
    "clustered": clustered,
    "sorted": lambda rng, shape: np.sort(rng.lognormal(size=shape), axis=0)[::-1],
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_classes", [2, 3, 5, 256])
def test_it_equals_ranks(kind: str, n_classes: int) -> None:
    rng = np.random.default_rng(3)
    y = labels(3001, n_classes)
    with np.errstate(over="ignore"):
        x = KINDS[kind](rng, (3001, 7)).astype(np.float32)
    np.testing.assert_array_equal(twice_u(x, y, n_classes), by_ranks(x, y, n_classes))
    half = np.clip(x, -65504, 65504).astype(np.float16)
    np.testing.assert_array_equal(twice_u(half, y, n_classes), by_ranks(half, y, n_classes))


@pytest.mark.parametrize("n", [2, 3, 31, 32, 33, 511, 513, 1025])
def test_every_number_of_spots(n: int) -> None:
    rng = np.random.default_rng(n)
    x, y = rng.lognormal(size=(n, 65)).astype(np.float32), labels(n, 2)
    np.testing.assert_array_equal(twice_u(x, y, 2), by_ranks(x, y, 2))
    assert twice_u(x[:, :0], y, 2).shape == (2, 0)


def test_where_insertion_gives_up_all_digits_are_sorted() -> None:
    rng = np.random.default_rng(1)
    value = (1 << 25) + rng.permutation(3000).astype(np.uint32)
    value[0] = (1 << 31) - 1  # far away: the two leading digits of all others are the same
    packed, other = value.copy(), np.empty_like(value)
    digits = np.empty((2, 2048), dtype=np.int64)
    kernel._by_digits(packed, other, 10, 11, digits)
    assert not kernel._by_insertion(packed, 0)
    packed = value.copy()
    kernel._sort(packed, other, 0, 31, 11, digits)
    np.testing.assert_array_equal(packed, np.sort(value))


def test_blocks_threads_and_layout_do_not_matter(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rng = np.random.default_rng(5)
    x = (rng.gamma(1, size=(600, 90)) * (rng.random((600, 90)) < 0.7)).astype(np.float32)
    y = labels(600, 3)
    expected = by_ranks(x, y, 3)
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    forms = [x, mapped, np.asfortranarray(x), x.astype(np.float64), x.astype(">f4")]
    wide = np.zeros((600, 180), dtype=np.float32)
    wide[:, ::2] = x
    for threads in ("1", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        for form in [*forms, wide[:, ::2]]:
            np.testing.assert_array_equal(twice_u(form, y, 3), expected)
    monkeypatch.setattr(module, "_LEAST_BLOCK_BYTES", 7 * 600 * 4)
    monkeypatch.setattr(module, "_MOST_BLOCK_BYTES", 7 * 600 * 4)
    monkeypatch.setattr(module, "_ROWS", 101)
    monkeypatch.setattr(module, "_BINS", 3)
    for form in forms:
        np.testing.assert_array_equal(twice_u(form, y, 3), expected)
    np.testing.assert_array_equal(x, np.load(tmp_path / "x.npy"))  # nothing wrote into it


def test_rows_are_a_subset() -> None:
    rng = np.random.default_rng(6)
    x = rng.lognormal(size=(400, 20)).astype(np.float32)
    rows = rng.permutation(400)[:150]
    y = labels(150, 2)
    expected = by_ranks(x[rows], y, 2)
    np.testing.assert_array_equal(twice_u(x, y, 2, rows=rows), expected)
    np.testing.assert_array_equal(twice_u(x.astype(np.float64), y, 2, rows=rows), expected)
    np.testing.assert_array_equal(bin_auc(x, y, 2, rows=rows), bin_auc(x[rows], y, 2))
    for wrong in (rows[:-1], rows + 300, rows - 200):
        with pytest.raises(ModelError, match="one of 400 spectra"):
            twice_u(x, y, 2, rows=wrong)


def test_the_auc_is_scipys() -> None:
    rng = np.random.default_rng(7)
    x = rng.lognormal(size=(500, 30)).astype(np.float32).round(1)
    y = labels(500, 2)
    one, other = x[y == 1].astype(np.float64), x[y == 0].astype(np.float64)
    expected = mannwhitneyu(one, other).statistic / (len(one) * len(other))
    np.testing.assert_array_equal(bin_auc(x, y, 2)[1], expected)


@settings(max_examples=60, deadline=None)
@given(
    x=arrays(np.float32, (40, 2), elements=st.floats(-100, 100, width=32)),
    shift=st.integers(0, 3),
)
def test_invariants(x: npt.NDArray[np.float32], shift: int) -> None:
    y = labels(40, 2)
    found = twice_u(x, y, 2)
    pairs = int((y == 0).sum() * (y == 1).sum())
    assert np.all(found.sum(axis=0) == 2 * pairs)
    np.testing.assert_array_equal(twice_u(x * np.float32(2.0**shift), y, 2), twice_u(x, y, 2))
    np.testing.assert_array_equal(twice_u(-x, y, 2), 2 * pairs - found)
    order = np.random.default_rng(0).permutation(40)
    np.testing.assert_array_equal(twice_u(x[order], y[order], 2), found)


def test_impossible_classes_are_refused() -> None:
    x = np.ones((5, 2), dtype=np.float32)
    for y, n_classes in (([0] * 5, 2), ([0, 1, 2, 1, 0], 2), ([0, 1, 0, 1, 0], 300)):
        with pytest.raises(ModelError, match="2 to 256 classes"):
            bin_auc(x, np.array(y), n_classes)
