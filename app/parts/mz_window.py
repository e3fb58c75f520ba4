"""The m/z window of a page: kept in the address, changed by buttons, numbers and selections."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import streamlit as st

from corespot.axis import MzAxis
from corespot.report.mz_window import MzWindow

#: Where the address holds the window, and the mass of the ion image.
_WINDOW, _ION = "mz", "ion"
_LOW, _HIGH = "lowest m/z", "highest m/z"


def shown_window(axis: MzAxis) -> MzWindow:
    """The window that the address asks for, the whole axis if none."""
    return MzWindow.parsed(st.query_params.get(_WINDOW), axis)


def show_window(window: MzWindow, axis: MzAxis) -> None:
    """Put a window into the address; the whole axis needs none."""
    if window.is_whole(axis):
        st.query_params.pop(_WINDOW, None)
    else:
        st.query_params[_WINDOW] = window.text


def chosen_ion() -> float | None:
    """The mass whose ion image is asked for in the address."""
    try:
        mz = float(st.query_params.get(_ION, ""))
    except ValueError:
        return None
    return mz if 0 < mz < 1e7 else None


def choose_ion(mz: float) -> None:
    """Ask for the ion image of a mass, in the address."""
    st.query_params[_ION] = f"{mz:.4f}".rstrip("0").rstrip(".")


def window_controls(window: MzWindow, axis: MzAxis) -> None:
    """Buttons and numbers that change the window; all work from the keyboard."""
    first, last = float(axis.edges[0]), float(axis.edges[-1])
    st.session_state[_LOW], st.session_state[_HIGH] = round(window.low, 3), round(window.high, 3)
    room: dict[str, Any] = {"min_value": 0.0, "step": 1.0, "format": "%.2f", "width": 150}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        take = partial(_take_numbers, axis)
        st.number_input("From m/z", key=_LOW, on_change=take, max_value=last + 1e4, **room)
        st.number_input("to m/z", key=_HIGH, on_change=take, max_value=last + 1e4, **room)
        whole = MzWindow(first, last)
        steps: tuple[tuple[str, MzWindow, str], ...] = (
            ("◀ Left", window.moved(-0.5, axis), "Move by half a window"),
            ("Right ▶", window.moved(0.5, axis), "Move by half a window"),
            ("Zoom in", window.zoomed(1 / 3, axis), "A third as wide"),
            ("Zoom out", window.zoomed(3, axis), "Three times as wide"),
            ("Whole", whole, "The whole m/z axis"),
        )
        for label, target, tip in steps:
            st.button(
                label,
                key=f"window {label}",
                help=tip,
                on_click=partial(show_window, target, axis),
                disabled=target == window,
            )


def take_selection(key: str, axis: MzAxis) -> Callable[[], None]:
    """What to do when something is selected in the figure `key`: zoom to a box, choose a point."""

    def taken() -> None:
        selection = st.session_state[key]["selection"]
        for box in selection.get("box", ()):
            ends = [float(end) for end in box.get("x", ())]
            if len(ends) >= 2 and max(ends) > min(ends):
                show_window(MzWindow.between(min(ends), max(ends), axis), axis)
                return
        for point in selection.get("points", ()):
            choose_ion(float(point["x"]))
            return

    return taken


def _take_numbers(axis: MzAxis) -> None:
    low, high = st.session_state[_LOW], st.session_state[_HIGH]
    if low is not None and high is not None:
        show_window(MzWindow.between(float(low), float(high), axis), axis)
