"""Round numbers for scales that plotly does not number by itself."""

from __future__ import annotations

import numpy as np


def round_ticks(low: float, high: float) -> list[float]:
    """Three to seven round numbers from `low` to `high`; none where there is nothing between."""
    span = high - low
    if not (np.isfinite(span) and span > 0):
        return []
    size = float(10.0 ** np.floor(np.log10(span / 2)))
    step = next(size * times for times in (5.0, 2.0, 1.0, 0.5) if span / (size * times) >= 2.5)
    first, last = np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9)
    return [float(number * step) + 0.0 for number in np.arange(first, last + 1)]


def short(value: float) -> str:
    """A number in few characters, never with an exponent between 0.001 and a million."""
    if abs(value) >= 100 and abs(value) < 1e6:
        return f"{value:,.0f}"
    if value != 0 and not 1e-3 <= abs(value) < 1e6:
        return f"{value:.1e}".replace("e-0", "e-").replace("e+0", "e")
    return f"{value:.3g}"
