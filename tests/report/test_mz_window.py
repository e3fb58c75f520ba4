"""The window on an m/z axis."""

from __future__ import annotations

import pytest

from corespot.axis import MzAxis
from corespot.report.mz_window import MzWindow

#: Some of them are a rounding error narrower or wider once they are moved.
AXES = [MzAxis.tof(800 + step / 7, 2279.58 + step / 3, 593) for step in range(12)]


@pytest.mark.parametrize("axis", AXES)
def test_beyond_the_whole_axis_there_is_nothing(axis: MzAxis) -> None:
    whole = MzWindow.whole(axis)
    assert whole.moved(-0.5, axis) == whole.moved(0.5, axis) == whole.zoomed(3, axis) == whole
