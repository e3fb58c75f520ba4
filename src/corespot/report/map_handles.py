"""What answers to the mouse on a map: heat maps cannot be selected in and give no points."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from corespot.report.map_mosaic import PLACE, Mosaic
from corespot.report.theme import INK, plain
from corespot.report.tissue_layers import Layer

#: Most places of a figure that answer: each is an element of the page, with a text. Where they
#: cannot be all spots, fewer will do, of which every core has some.
MOST_HANDLES, _ENOUGH = 1_000, 300
#: Least and most width of the frame round what was chosen.
_FRAME_PX = (11, 28)


class Handles:
    """Places that answer to the mouse: heat maps cannot be selected in, and give no points.

    One a spot where there are few; in larger maps one for a square of spots of a core, which
    then speaks of the core.
    """

    def __init__(
        self, table: pd.DataFrame, votes: pd.DataFrame, layers: Sequence[Layer], *, budget: int
    ) -> None:
        self.table, self.votes = table, votes
        file = pd.factorize(table["file"].astype(str))[0]
        core = pd.factorize(file * (len(votes) + 1) + table["number"].to_numpy(dtype=np.int64))[0]
        n_cores = int(core.max()) + 1 if len(core) else 0
        # Squares are counted from the corner of their core: in the end there is one a core.
        corner, within = [], []
        for name in ("x", "y"):
            values = table[name].to_numpy(dtype=np.int64)
            least = np.full(n_cores, np.iinfo(np.int64).max)
            np.minimum.at(least, core, values)
            corner.append(least[core])
            within.append(values - least[core])
        enough = max(_ENOUGH * budget // MOST_HANDLES, n_cores)
        self.step, kept = 1, np.arange(len(table))
        while len(kept) > (budget if self.step == 1 else enough):
            self.step += 1
            across, down = within[0] // self.step, within[1] // self.step
            squares = (core * (int(across.max()) + 1) + across) * (int(down.max()) + 1) + down
            kept = np.sort(np.unique(squares, return_index=True)[1])
        middle = (self.step - 1) / 2
        self.x, self.y = (
            least + inside // self.step * self.step + middle
            for least, inside in zip(corner, within, strict=True)
        )
        self.kept = np.zeros(len(table), dtype=bool)
        self.kept[kept] = True
        self.texts = self._of_spots(layers) if self.step == 1 else self._of_cores()

    def on(self, maps: Mosaic, chosen: int | None) -> go.Scatter:
        """Invisible points on all maps; what is clicked gets a frame, and before that `chosen`.

        The browser moves the frame by itself: a click needs no new figure.
        """
        rows, x, y = [], [], []
        for grid, (right, down) in zip(maps.grids, maps.shifts, strict=True):
            here = grid.index[grid.index >= 0]
            here = here[self.kept[here]]
            rows.append(here)
            x.append(self.x[here] + right)
            y.append(self.y[here] + down)
        shown = np.concatenate(rows)
        return go.Scatter(
            x=np.concatenate(x).astype(np.float32),
            y=np.concatenate(y).astype(np.float32),
            mode="markers",
            marker={
                "symbol": "square-open",
                "color": INK,
                "opacity": 0,
                "size": float(np.clip(self.step * maps.cell_px, *_FRAME_PX)),
                "line": {"width": 2.6},
            },
            selectedpoints=None if chosen is None else self._middle_of(chosen, shown),
            selected={"marker": {"opacity": 1}},
            unselected={"marker": {"opacity": 0}},
            customdata=self.table["number"].to_numpy(dtype=np.int32)[shown],
            text=[self.texts[row] for row in shown],
            hovertemplate="%{text}<extra></extra>",
            showlegend=False,
            **PLACE,
        )

    def _middle_of(self, core: int, shown: npt.NDArray[np.int64]) -> list[int]:
        """The point shown that is nearest to the middle of a core; none if it lies elsewhere."""
        numbers = self.table["number"].to_numpy(dtype=np.int64)
        own = np.flatnonzero(numbers[shown] == core)
        if own.size == 0:
            return []
        whole = numbers == core
        x, y = (self.table[name].to_numpy(dtype=float) for name in ("x", "y"))
        away = (self.x[shown[own]] - x[whole].mean()) ** 2
        away += (self.y[shown[own]] - y[whole].mean()) ** 2
        return [int(own[away.argmin()])]

    def _of_cores(self) -> list[str]:
        core = [
            f"<b>{plain(one['core'])}</b>, {_patient(one['patient'])}<br>"
            f"label {plain(one['class'] or 'not known')}, called {plain(one['by_majority'])} "
            f"({one['votes_' + one['by_majority']]} of {one['spots']} spots)"
            for one in self.votes.to_dict("records")
        ]
        return [core[number] for number in self.table["number"]]

    def _of_spots(self, layers: Sequence[Layer]) -> list[str]:
        table = self.table
        true = table["truth" if "truth" in table else "class"].astype(str)
        texts = [
            f"<b>{plain(core)}</b>, {_patient(patient)}<br>truth {plain(truth or 'not known')}, "
            f"predicted {plain(predicted)} {probability:.2f}"
            for core, patient, truth, predicted, probability in zip(
                table["core"],
                table["patient"].fillna(""),
                true,
                table["predicted"],
                table["probability"],
                strict=True,
            )
        ]
        for layer in layers:
            added = layer.texts()
            if added is not None and not layer.name.startswith("probability"):
                texts = [
                    f"{text}<br>{plain(layer.name)}: {more}"
                    for text, more in zip(texts, added, strict=True)
                ]
        return texts


def _patient(name: object) -> str:
    return f"patient {plain(name)}" if str(name) else "patient not known"
