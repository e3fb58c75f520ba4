"""What the sensitivity figures of one class draw from, and the traces they share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from corespot.explain.markers import Marker
from corespot.explain.profile import Quantity, SensitivityProfile
from corespot.report.spectrum_traces import Stretch, band_traces, curve_traces, signed_traces
from corespot.report.theme import MUTED, colour

#: What the y axis of a sensitivity shows.
UNITS = {"probability": "σ·∂p/∂x", "logit": "σ·∂log-odds/∂x"}


@dataclass(frozen=True)
class SensitivityView:
    """What the sensitivity figures of one class draw from.

    Parameters
    ----------
    profile : SensitivityProfile
        Of one fold, or averaged over folds (then the spread is drawn too).
    class_index : int
        The class shown.
    class_means : ndarray, shape (n_classes, n_bins), optional
        Mean spectrum of every class, drawn beneath.
    windows : DataFrame, optional
        Result of `rank_windows` for this class.
    markers : sequence of Marker
        Named in the figures.
    of : {"probability", "logit"}
        Which sensitivity.
    """

    profile: SensitivityProfile
    class_index: int
    class_means: npt.NDArray[np.floating] | None = None
    windows: pd.DataFrame | None = None
    markers: Sequence[Marker] = ()
    of: Quantity = "probability"

    @property
    def class_name(self) -> str:
        """Name of the class shown."""
        return self.profile.classes[self.class_index]

    @property
    def sides(self) -> tuple[tuple[str, str], tuple[str, str]]:
        """Names and colours of the positive and the negative side."""
        names = self.profile.classes
        if len(names) == 2:
            other = 1 - self.class_index
            return (f"towards {names[self.class_index]}", f"towards {names[other]}"), (
                colour(self.class_index),
                colour(other),
            )
        return (f"towards {self.class_name}", f"away from {self.class_name}"), (
            colour(self.class_index),
            MUTED,
        )


def sensitivity_traces(
    view: SensitivityView, stretch: Stretch, *, legend: bool
) -> list[go.Scatter]:
    """The signed sensitivity in two colours, over the spread between folds where known."""
    values = view.profile.of(view.of)[view.class_index]
    spread = view.profile.spread_of(view.of)
    traces: list[go.Scatter] = []
    if spread is not None and view.profile.n_folds > 1:
        traces += band_traces(
            stretch, values, spread[view.class_index], name="± SD over folds", legend=legend
        )
    names, colours = view.sides
    return traces + signed_traces(stretch, values, names=names, colours=colours, legend=legend)


def mean_traces(view: SensitivityView, stretch: Stretch, *, legend: bool) -> list[go.Scatter]:
    """Mean class spectra: two face each other across zero, more lie on one another."""
    assert view.class_means is not None
    names = view.profile.classes
    traces = []
    for index, name in enumerate(names):
        mean = np.asarray(view.class_means[index], dtype=np.float64)
        down = len(names) == 2 and index != view.class_index
        traces += curve_traces(
            stretch,
            -mean if down else mean,
            name=f"mean {name}",
            colour=colour(index),
            legend=legend,
            dodge=0.0 if len(names) == 2 else index - (len(names) - 1) / 2,
        )
    return traces


def mirror_ticks(view: SensitivityView, bins: slice) -> dict[str, object]:
    """Tick labels without a sign where a spectrum hangs below zero."""
    assert view.class_means is not None
    if len(view.profile.classes) != 2 or view.class_means[:, bins].size == 0:
        return {}
    highest = float(np.max(view.class_means[:, bins]))
    if highest <= 0:
        return {}
    unit = 10.0 ** np.floor(np.log10(highest))
    step = float(
        next(
            unit * factor for factor in (0.2, 0.5, 1.0, 2.0, 5.0) if unit * factor * 2.5 >= highest
        )
    )
    ticks = [factor * step for factor in (-2, -1, 0, 1, 2)]
    return {"tickvals": ticks, "ticktext": [f"{abs(tick):.3g}" for tick in ticks]}
