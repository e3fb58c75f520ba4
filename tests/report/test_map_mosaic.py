"""Maps on one pair of axes: each whole, none over another."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from corespot.report.map_grid import SpotGrid
from corespot.report.map_mosaic import mosaic

shapes = st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=9)


def numbered(sizes: list[tuple[int, int]]) -> list[SpotGrid]:
    """Grids without gaps, whose cells are rows of one table."""
    grids, first = [], 0
    for at, size in enumerate(sizes):
        index = first + np.arange(size[0] * size[1]).reshape(size)
        grids.append(SpotGrid(f"TMA{at}", 100 + at, -7 * at, index))
        first += index.size
    return grids


@given(shapes, st.integers(1, 4), st.sampled_from([30, 300, 1000]))
def test_every_spot_is_drawn_once_where_its_map_was_moved(sizes, n_columns, page_px) -> None:
    grids = numbered(sizes)
    maps = mosaic(grids, n_columns, page_px=page_px, highest_px=300)
    n_spots = sum(grid.index.size for grid in grids)
    rows = np.arange(n_spots)
    whole = maps.spread([rows] * len(grids), -1, np.int64)
    assert whole.shape == (maps.height, maps.width)
    assert sorted(whole[whole >= 0]) == list(rows)
    for grid, (right, down) in zip(grids, maps.shifts, strict=True):
        height, width = grid.index.shape
        moved = whole[grid.top + down :, grid.left + right :][:height, :width]
        assert (moved == grid.index).all()


@given(shapes, st.integers(1, 4))
def test_maps_fit_the_page_and_leave_room_for_names(sizes, n_columns) -> None:
    maps = mosaic(numbered(sizes), n_columns, page_px=900, highest_px=200)
    assert max(grid.index.shape[0] for grid in maps.grids) * maps.cell_px <= 200 + 1e-9
    assert maps.width * maps.cell_px <= 900 + n_columns * maps.cell_px
    assert all(grid.top * maps.cell_px >= 34 - 1e-9 for grid in maps.grids)


def test_a_map_without_values_is_left_out_and_lines_are_one() -> None:
    maps = mosaic(numbered([(2, 2), (2, 2)]), 2, page_px=400, highest_px=100)
    ones = np.ones(8, dtype=np.uint8)
    assert maps.spread([ones, None], 0, np.uint8).sum() == 4
    x, _ = maps.lines(lambda at, grid: None if at else grid.outlines(np.zeros(8, dtype=np.int64)))
    assert np.nanmin(x) == -0.5 and np.nanmax(x) == 1.5
    assert maps.lines(lambda at, grid: None)[0].size == 0
