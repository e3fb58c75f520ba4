"""Positions of spots and cores, on the slide, on the core and in the grid of a TMA."""

from __future__ import annotations

import numpy as np
import pandas as pd

from corespot.audit.design.position_columns import PLACES, positions, positions_on_core


def spots() -> pd.DataFrame:
    """Two TMAs, one beside the other, of two by two cores a pixel off the grid, nine spots each."""
    rows = [
        (tma, f"{tma}{row}{col}", begin + 10 * col + row + x, begin + 10 * row + y)
        for tma, begin in (("S", 1), ("T", 101))
        for row in range(2)
        for col in range(2)
        for y in range(3)
        for x in range(3)
    ]
    found = pd.DataFrame(rows, columns=["tma", "core", "x", "y"])
    return found.assign(spectrum=found.groupby("tma").cumcount())


def test_cores_a_pixel_off_are_on_one_line_of_their_tma() -> None:
    table = spots()
    found = positions(table)
    assert tuple(found) == PLACES
    for name, at in (("core row", 1), ("core column", 2)):
        numbers = found[name].numbers
        assert numbers is not None
        assert numbers.tolist() == [1 + int(core[at]) for core in table["core"]]
    slide = found["slide x"].numbers
    assert slide is not None and slide.tolist() == table["x"].tolist()


def test_positions_on_core_are_from_its_middle() -> None:
    found = positions_on_core(spots())
    assert list(found) == ["spot x", "spot y", "spot order"]
    for name, one in (("spot x", [-1, 0, 1] * 3), ("spot y", np.repeat([-1, 0, 1], 3).tolist())):
        numbers = found[name].numbers
        assert numbers is not None and numbers.tolist() == one * 8
    order = found["spot order"].numbers
    assert order is not None and order.tolist() == list(range(-4, 5)) * 8


def test_positions_that_are_not_there_are_left_out() -> None:
    table = spots().drop(columns=["y", "spectrum"])
    assert list(positions(table)) == ["slide x", "core column"]
    assert list(positions_on_core(table)) == ["spot x"]
