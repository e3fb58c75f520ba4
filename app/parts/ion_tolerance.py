"""How wide an ion image is: boxes for the tolerance in Da or ppm."""

from __future__ import annotations

from typing import Literal, cast

import streamlit as st

from corespot.units import Tolerance


def tolerance_boxes() -> Tolerance:
    """Boxes that ask for a tolerance, side by side with what follows in a horizontal container."""
    unit = cast(
        Literal["da", "ppm"],
        st.radio(
            "Tolerance in",
            ["da", "ppm"],
            format_func={"da": "Da", "ppm": "ppm"}.__getitem__,
            horizontal=True,
            width=140,
        ),
    )
    most, usual, step = (10.0, 0.25, 0.05) if unit == "da" else (5_000.0, 200.0, 50.0)
    width = st.number_input(
        "± tolerance", step / 10, most, usual, step, key=f"tolerance-{unit}", width=160
    )
    return Tolerance(float(width), unit)
