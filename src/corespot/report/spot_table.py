"""One row a spot: where it lies, what it is, and what the out-of-fold models say of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from corespot.errors import StoreError

#: Columns that `spot_table` gives beside one ``prob_<class>`` a class.
COLUMNS = ("row", "file", "x", "y", "core", "tma", "patient", "class", "predicted", "probability")
_ROUNDING = 1e-6


def spot_table(
    predictions: pd.DataFrame, labels: pd.DataFrame, classes: Sequence[str]
) -> pd.DataFrame:
    """Join out-of-fold predictions, averaged over repeats, to the spots of a task.

    Parameters
    ----------
    predictions : DataFrame
        ``row``, ``repeat``, ``fold`` and one ``prob_<class>`` a class.
    labels : DataFrame
        Spots of the task: ``row``, ``file``, ``x``, ``y``, ``core``, ``tma``, ``patient``,
        ``class`` and, where the truth of single spots is known, ``truth`` (empty where it is not).
    classes : sequence of str
        Class names, in order.

    Returns
    -------
    DataFrame
        `COLUMNS`, the mean ``prob_<class>``, ``truth`` where `labels` has it, and ``wrong``
        (bool): the predicted class is not the true one of this spot, by ``truth`` where there is
        that column. ``probability`` is that of the predicted class. One row a predicted spot.

    Raises
    ------
    StoreError
        If a predicted row is no spot of the task, or its probabilities are none of `classes`.
    """
    columns = [f"prob_{name}" for name in classes]
    _check_probabilities(predictions, columns)
    mean = predictions.groupby("row")[columns].mean().reset_index()
    strangers = set(mean["row"]) - set(labels["row"])
    if strangers:
        raise StoreError(
            f"{len(strangers)} predicted rows, among them {min(strangers)}, are no spots of the "
            "task; run `dvc repro` so that predictions follow the store"
        )
    kept = [name for name in (*COLUMNS[:8], "truth") if name in labels]
    table = labels[kept].merge(mean, on="row", how="inner").sort_values("row", ignore_index=True)
    probabilities = table[columns].to_numpy(dtype=float)
    best = probabilities.argmax(axis=1)
    table["predicted"] = np.asarray(classes, dtype=object)[best]
    table["probability"] = probabilities[np.arange(len(table)), best]
    true = table["truth" if "truth" in table else "class"].astype(str)
    table["wrong"] = (true != "") & (true != table["predicted"].astype(str))
    return table


def _check_probabilities(predictions: pd.DataFrame, columns: list[str]) -> None:
    """Refuse what would be drawn as a class that no model has named."""
    again = "run `dvc repro` to predict again"
    lacking = [name for name in ("row", *columns) if name not in predictions]
    others = [name for name in predictions if str(name).startswith("prob_") and name not in columns]
    if lacking or others:
        what = f"lack {lacking[0]!r}" if lacking else f"have {others[0]!r}, which is no class"
        raise StoreError(f"the predictions {what}; {again}")
    try:
        values = predictions[columns].to_numpy(dtype=float)
    except (ValueError, TypeError):
        raise StoreError(
            f"the predictions hold probabilities that are no numbers; {again}"
        ) from None
    bad = ~((values >= -_ROUNDING) & (values <= 1 + _ROUNDING)).all(axis=1)
    if bad.any():
        row = predictions["row"].iloc[int(bad.argmax())]
        raise StoreError(f"the probabilities of row {row} are not between 0 and 1; {again}")
