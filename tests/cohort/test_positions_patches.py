"""Core grids and patches: no spot lost, no core crossed, whatever shape a core has."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corespot.cohort.patches import cut_patches
from corespot.cohort.positions import SpotPositions, core_grids
from corespot.errors import ModelError


def placed(shapes: dict[str, list[tuple[int, int]]]) -> SpotPositions:
    rows = [(core, x, y) for core, places in shapes.items() for x, y in places]
    table = pd.DataFrame(rows, columns=["core", "x", "y"])
    return SpotPositions.of(table)


@st.composite
def ragged_cores(draw: st.DrawFn) -> SpotPositions:
    """One to four cores of any shape, holes and single spots included, far apart or not."""
    shapes = {}
    for number in range(draw(st.integers(1, 4))):
        place = st.tuples(st.integers(0, 11), st.integers(0, 9))
        shapes[f"core{number}"] = draw(st.lists(place, min_size=1, max_size=40, unique=True))
    return placed(shapes)


@given(ragged_cores(), st.integers(1, 7), st.integers(1, 7), st.floats(0, 1))
def test_every_spot_is_in_a_patch_of_its_own_core(
    positions: SpotPositions, size: int, stride: int, coverage: float
) -> None:
    stride = min(size, stride)
    patches = cut_patches(
        core_grids(positions), size=size, stride=stride, min_coverage=coverage, cover_all=True
    )
    seen: set[int] = set()
    for patch in patches.spots:
        members = patch[patch >= 0]
        assert len(set(positions.core[members])) == 1
        # Neighbours in the patch are neighbours on the slide.
        row, column = np.nonzero(patch >= 0)
        assert len(set(positions.x[members] - column)) == 1
        assert len(set(positions.y[members] - row)) == 1
        seen |= set(members.tolist())
    assert seen == set(range(len(positions)))


@given(ragged_cores(), st.integers(1, 6), st.floats(0, 1))
def test_patches_without_overlap_hold_a_spot_once_and_no_core_is_lost(
    positions: SpotPositions, size: int, coverage: float
) -> None:
    grids = core_grids(positions)
    patches = cut_patches(grids, size=size, stride=size, min_coverage=coverage)
    whole = cut_patches(grids, size=size, stride=size, min_coverage=0)
    assert len(patches) + patches.n_skipped == len(whole)
    assert set(patches.core) == set(range(len(grids)))
    kept = patches.n_spots >= coverage * size * size
    for core in set(patches.core):
        # Below the limit only the fullest of a core.
        low = patches.n_spots[(patches.core == core) & ~kept]
        assert len(low) <= 1


def test_patches_are_counted_by_hand() -> None:
    square = {"a": [(x, y) for x in range(6) for y in range(6)], "b": [(20, 30)]}
    grids = core_grids(placed(square))
    patches = cut_patches(grids, size=4, stride=4, min_coverage=0.1)
    # Starts 0 and 2: the last patch ends flush with the core.
    assert (patches.core == 0).sum() == 4
    assert patches.n_spots.tolist() == [16, 16, 16, 16, 1]
    lone = patches.spots[4]
    assert np.argwhere(lone >= 0).tolist() == [[1, 1]]
    assert cut_patches(grids, size=4, stride=1, min_coverage=0).n_spots.tolist() == [16] * 9 + [1]


def test_low_coverage_is_skipped_and_counted() -> None:
    # A full square with a tail of single spots.
    shape = [(x, y) for x in range(4) for y in range(4)] + [(x, 0) for x in range(4, 12)]
    grids = core_grids(placed({"a": shape}))
    patches = cut_patches(grids, size=4, stride=4, min_coverage=0.5)
    assert patches.n_spots.tolist() == [16]
    assert patches.n_skipped == 2
    assert len(cut_patches(grids, size=4, stride=4, min_coverage=0.5, cover_all=True)) == 3


def test_a_patch_is_added_only_where_a_spot_lacks_one() -> None:
    # Full squares hold every spot; the one with a place left empty is not needed.
    shape = [(x, y) for x in range(3) for y in range(3) if (x, y) != (2, 2)]
    grids = core_grids(placed({"a": shape}))
    patches = cut_patches(grids, size=2, stride=1, min_coverage=1.0, cover_all=True)
    assert patches.n_spots.tolist() == [4, 4, 4]
    assert patches.n_skipped == 1


def test_a_core_measured_in_two_files_is_two_grids() -> None:
    table = pd.DataFrame({"file": ["a", "a", "b"], "core": "c", "x": [0, 1, 0], "y": [0, 0, 0]})
    assert [grid.tolist() for grid in core_grids(SpotPositions.of(table))] == [[[0, 1]], [[2]]]


def test_positions_of_two_spots_at_one_place_are_refused() -> None:
    with pytest.raises(ModelError, match="core a has two spots at x 1, y 2"):
        placed({"a": [(1, 2), (0, 0), (1, 2)]})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x": [0, 1.5, 2]}, "spot 1 has x 1.5; expected a whole number"),
        ({"x": [0, np.nan, 2]}, "spot 1 has x nan; expected a whole number"),
        ({"y": [0, 1, np.inf]}, "spot 2 has y inf; expected a whole number"),
        ({"y": ["a", "b", "c"]}, "spot 0 has y a; expected a whole number"),
        ({"core": ["c", None, "c"]}, "spot 1 has no core"),
    ],
)
def test_positions_that_are_none_are_refused(changes: dict[str, Any], message: str) -> None:
    table = pd.DataFrame({"core": "c", "x": [0, 1, 2], "y": 0}).assign(**changes)
    with pytest.raises(ModelError, match=message):
        SpotPositions.of(table)


def test_whole_coordinates_of_any_type_are_taken_and_missing_columns_named() -> None:
    table = pd.DataFrame({"core": [1, 1], "x": [-3.0, -2.0], "y": ["4", "5"], "file": None})
    positions = SpotPositions.of(table)
    assert (positions.x.tolist(), positions.y.tolist()) == ([-3, -2], [4, 5])
    with pytest.raises(ModelError, match="x and y are missing; found: core"):
        SpotPositions.of(table[["core"]])


def test_spots_that_cannot_be_of_one_core_are_refused() -> None:
    with pytest.raises(ModelError, match="2 spots of core a span 3001 columns and 1 rows"):
        core_grids(placed({"a": [(0, 0), (3000, 0)]}))


@given(ragged_cores(), st.integers(0, 5))
def test_shuffling_keeps_cores_and_places(positions: SpotPositions, seed: int) -> None:
    dealt = positions.shuffled(np.random.default_rng(seed))

    def places(of: SpotPositions) -> npt.NDArray[np.object_]:
        return np.array(sorted(zip(of.core, of.x, of.y, strict=True)), dtype=object)

    np.testing.assert_array_equal(places(dealt), places(positions))
    assert dealt.fingerprint == positions.shuffled(np.random.default_rng(seed)).fingerprint
