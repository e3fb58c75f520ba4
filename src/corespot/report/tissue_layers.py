"""What a map of the tissue can show of each spot, as small codes with their colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.report.theme import BLUES, INK, colours_of, two_colours

#: Shades of a continuous scale: with none for no spot, they fit a byte.
_SHADES = 200
_UNKNOWN, _RIGHT = "#D5DAE0", "#DCE6EE"


@dataclass(frozen=True)
class Layer:
    """One thing shown of each spot.

    Parameters
    ----------
    name : str
        What is shown, in words, with its unit.
    codes : ndarray of uint8, shape (n_spots,)
        Number of the colour, from 1; 0 is left clear.
    colours : tuple of str
        The colours; of a scale, some that the others lie between.
    labels : tuple of str
        What each colour means; empty for a scale.
    ends : tuple of (float, float), optional
        Values of the first and the last shade of a scale.
    values : ndarray of float, shape (n_spots,), optional
        What a scale shows, NaN for none.
    marked : ndarray of bool, shape (n_spots,), optional
        Spots to hatch.
    clipped : bool
        Whether values lie beyond the last shade.
    note : str
        How to read the scale, where its ends alone do not say.
    """

    name: str
    codes: npt.NDArray[np.uint8]
    colours: tuple[str, ...]
    labels: tuple[str, ...] = ()
    ends: tuple[float, float] | None = None
    values: npt.NDArray[np.float64] | None = None
    marked: npt.NDArray[np.bool_] | None = None
    clipped: bool = False
    note: str = ""

    @property
    def n_shades(self) -> int:
        """Highest code there can be."""
        return len(self.labels) if self.labels else _SHADES

    def texts(self) -> list[str] | None:
        """What hovering says of each spot; None of flat colours, which the legend tells."""
        if self.values is None:
            return None
        return [f"{one:.3g}" if np.isfinite(one) else "no value" for one in self.values.tolist()]

    def of(self, rows: npt.NDArray[np.bool_]) -> Layer:
        """The same layer of some of the spots."""
        return replace(
            self,
            codes=self.codes[rows],
            values=None if self.values is None else self.values[rows],
            marked=None if self.marked is None else self.marked[rows],
        )


def class_layer(table: pd.DataFrame, column: str, classes: Sequence[str], name: str) -> Layer:
    """Flat colours of the classes; grey where a spot has none of them.

    Parameters
    ----------
    table : DataFrame
        Result of `corespot.report.spot_table.spot_table`.
    column : str
        ``class``, ``truth`` or ``predicted``; predictions that are wrong are hatched.
    classes : sequence of str
        Class names, in order.
    name : str
        Name of the layer.
    """
    colours = colours_of(classes)
    numbers = {str(one): at for at, one in enumerate(colours, start=1)}
    unknown = len(numbers) + 1
    names = table[column].tolist()
    codes = np.array([numbers.get(str(one), unknown) for one in names], dtype=np.uint8)
    some_unknown = bool((codes == unknown).any())
    marked = table["wrong"].to_numpy(dtype=bool) if column == "predicted" else None
    return Layer(
        name,
        codes,
        (*colours.values(), _UNKNOWN)[: unknown - 1 + some_unknown],
        (*map(str, colours), "not known")[: unknown - 1 + some_unknown],
        marked=marked,
    )


def probability_layer(table: pd.DataFrame, classes: Sequence[str]) -> Layer:
    """Probability of the first of two classes, or that of the predicted one of more."""
    if len(classes) == 2:
        values = table[f"prob_{classes[0]}"].to_numpy(dtype=float)
        colours = two_colours(*colours_of(classes).values())
        return _scaled(f"probability of {classes[0]}", values, (0.0, 1.0), colours)
    values = table["probability"].to_numpy(dtype=float)
    return _scaled("probability of the predicted class", values, (1 / len(classes), 1.0), BLUES)


def agreement_layer(table: pd.DataFrame) -> Layer:
    """Whether the predicted class is the true one of the spot."""
    true = table["truth" if "truth" in table else "class"].astype(str).to_numpy(dtype=object)
    wrong = table["wrong"].to_numpy(dtype=bool)
    codes = np.where(true == "", 3, np.where(wrong, 2, 1)).astype(np.uint8)
    some_unknown = bool((codes == 3).any())
    colours, labels = (_RIGHT, INK, "#B9A9C9"), ("right", "wrong", "truth not known")
    return Layer("right or wrong", codes, colours[: 2 + some_unknown], labels[: 2 + some_unknown])


def fraction_layer(table: pd.DataFrame, cores: pd.DataFrame, positive: str) -> Layer:
    """Share of the spots of each core that were taken for the positive class.

    Parameters
    ----------
    table : DataFrame
        Result of `corespot.report.spot_table.spot_table`.
    cores : DataFrame
        ``core``, ``tma`` and ``fraction``, one row a core and repeat.
    positive : str
        The class whose share is meant.
    """
    share = cores.groupby(["tma", "core"])["fraction"].mean()
    keys = pd.MultiIndex.from_arrays([table["tma"].astype(str), table["core"].astype(str)])
    share.index = pd.MultiIndex.from_arrays(
        [share.index.get_level_values(at).astype(str) for at in (0, 1)]
    )
    values = share.reindex(keys).to_numpy(dtype=float)
    return _scaled(f"share of the core taken for {positive}", values, (0.0, 1.0), BLUES)


def ion_layer(
    values: npt.NDArray[np.floating], name: str, *, percentile: float, window: str = ""
) -> Layer:
    """Intensities from 0 to a percentile of all spots; what lies above has the last colour.

    Parameters
    ----------
    values : ndarray, shape (n_spots,)
        One intensity a spot.
    name : str
        Which ion.
    percentile : float
        From 50 to 100.
    window : str
        Which bins the values are the mean of, for the note.
    """
    known = np.asarray(values, dtype=float)
    finite = known[np.isfinite(known)]
    if finite.size == 0:
        return _scaled(name, known, (0.0, 1.0), BLUES)
    # Baseline removal may leave negative intensities: the scale then begins below zero.
    low = min(0.0, float(np.percentile(finite, 100 - percentile)))
    high = float(np.percentile(finite, percentile))
    if high <= low:
        high = float(finite.max()) if finite.max() > low else low + 1.0
    note = f"colours end at percentile {percentile:g} of all spots of the run"
    note = f"{window}; {note}" if window else note
    return replace(_scaled(name, known, (low, high), BLUES), note=note)


def tissue_layers(
    table: pd.DataFrame, classes: Sequence[str], cores: pd.DataFrame | None, positive: str
) -> Mapping[str, Layer]:
    """Every layer that a run has but ion images, by the name under which it can be chosen.

    Parameters
    ----------
    table : DataFrame
        Result of `corespot.report.spot_table.spot_table`.
    classes : sequence of str
        Class names, in order.
    cores : DataFrame, optional
        As for `fraction_layer`.
    positive : str
        The class whose share of a core is meant, empty if there is none.
    """
    true = {"Truth": class_layer(table, "class", classes, "truth")}
    if "truth" in table:
        true = {
            "Truth": class_layer(table, "truth", classes, "truth of the spot"),
            "Label of the core": class_layer(table, "class", classes, "label of the core"),
        }
    found = true | {
        "Predicted class": class_layer(table, "predicted", classes, "predicted class"),
        "Probability": probability_layer(table, classes),
        "Right or wrong": agreement_layer(table),
    }
    if cores is not None and len(cores) and positive:
        found["Tumour fraction"] = fraction_layer(table, cores, positive)
    return found


def _scaled(
    name: str,
    values: npt.NDArray[np.floating],
    ends: tuple[float, float],
    colours: Sequence[str],
) -> Layer:
    low, high = ends
    known = np.isfinite(values)
    share = np.clip((np.where(known, values, low) - low) / (high - low), 0, 1)
    codes = np.where(known, 1 + np.rint(share * (_SHADES - 1)), 0).astype(np.uint8)
    beyond = bool((values[known] > high).any())
    return Layer(
        name, codes, tuple(colours), ends=ends, values=values.astype(np.float64), clipped=beyond
    )
