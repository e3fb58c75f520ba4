"""Units, the m/z axis, seeds and suggestions."""

from __future__ import annotations

import errno

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corespot.axis import MzAxis
from corespot.errors import suggestion, told_plainly
from corespot.seeding import derive_seed, generator
from corespot.units import Tolerance, da_to_ppm, ppm_to_da

masses = st.floats(100, 5000)


@given(st.floats(-2, 2), masses)
def test_da_and_ppm_are_inverse(delta: float, mz: float) -> None:
    assert ppm_to_da(da_to_ppm(delta, mz), mz) == pytest.approx(delta, abs=1e-12)


def test_tolerances_carry_their_unit() -> None:
    assert Tolerance(200, "ppm").at_da(1000) == pytest.approx(0.2)
    assert Tolerance(0.3, "da").bounds(1000) == pytest.approx((999.7, 1000.3))
    with pytest.raises(ValueError, match="positive"):
        Tolerance(0, "ppm")
    with pytest.raises(ValueError, match="'da' or 'ppm'"):
        Tolerance(1, "mDa")  # type: ignore[arg-type]


@pytest.mark.parametrize("make", [MzAxis.equidistant, MzAxis.constant_ppm, MzAxis.tof])
def test_axes_span_their_range_by_their_law(make) -> None:  # type: ignore[no-untyped-def]
    axis = make(500.0, 4500.0, 2001)
    assert axis.mz[0] == pytest.approx(500) and axis.mz[-1] == pytest.approx(4500)
    law = {"equidistant": axis.mz, "ppm": np.log(axis.mz), "tof": np.sqrt(axis.mz)}[axis.kind]
    assert np.ptp(np.diff(law)) == pytest.approx(0, abs=1e-9)
    assert len(axis.edges) == 2002
    assert np.all(axis.edges[:-1] < axis.mz) and np.all(axis.mz < axis.edges[1:])


@given(masses, st.floats(0.01, 20))
def test_a_window_holds_exactly_the_bins_within_tolerance(mz: float, half: float) -> None:
    axis = MzAxis.tof(400, 4600, 3000)
    inside = np.flatnonzero((axis.mz >= mz - half) & (axis.mz <= mz + half))
    window = axis.window(mz, Tolerance(half, "da"))
    assert np.array_equal(np.arange(axis.n_bins)[window], inside)


@given(st.floats(300, 5000))
def test_nearest_is_nearest(mz: float) -> None:
    axis = MzAxis.tof(400, 4600, 300)
    distance = np.abs(axis.mz - mz)
    assert distance[axis.nearest(mz)] == pytest.approx(distance.min())


def test_axes_refuse_what_is_no_axis_and_compare_by_value() -> None:
    for bad in ([], [1.0, 1.0], [2.0, 1.0], [0.0, 1.0], [1.0, np.nan], [[1.0, 2.0]]):
        with pytest.raises(ValueError, match="m/z axis"):
            MzAxis(np.array(bad))
    one, other = MzAxis(np.array([1.0, 2.0])), MzAxis(np.array([1.0, 2.0]), "tof")
    assert one == other and hash(one) == hash(other) and one != MzAxis(np.array([1.0, 3.0]))
    with pytest.raises(ValueError, match="read-only"):
        one.mz[0] = 5


def test_streams_are_independent_and_fixed_for_ever() -> None:
    assert derive_seed(1, "folds", "LP", 0) == 2135110101531118817
    assert derive_seed(1, "a", "b") != derive_seed(1, "ab")
    assert derive_seed(1, "a") != derive_seed(2, "a")
    assert np.array_equal(generator(3, "x").random(4), generator(3, "x").random(4))


def test_suggestions_name_the_closest_or_all() -> None:
    assert suggestion("isotopnet", ["isotopenet", "roc_lda"]) == "did you mean 'isotopenet'?"
    assert suggestion("zzz", ["b", "a"]) == "known: a, b"


def test_a_full_disk_is_told_plainly_and_a_fault_of_ours_is_not_hidden(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as stopped, told_plainly():
        raise OSError(errno.ENOSPC, "No space left on device", "data/store")
    assert stopped.value.code == 2
    assert "No space left on device: data/store; check free space" in capsys.readouterr().err
    with pytest.raises(FileNotFoundError), told_plainly():
        raise FileNotFoundError(errno.ENOENT, "No such file", "x")
