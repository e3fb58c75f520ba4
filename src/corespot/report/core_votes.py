"""What the spots of a core vote for, and what the core is called by majority and by mean."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.report.tables import natural

Ints = npt.NDArray[np.int64]


def core_numbers(table: pd.DataFrame) -> Ints:
    """A number for the core of each spot, from 0, in natural order of TMA and core.

    Parameters
    ----------
    table : DataFrame
        ``tma`` and ``core``. Cores of one name on two TMAs are two.
    """
    # Columns of text are many times slower to walk through than lists.
    keys = list(zip(*(table[name].astype(str).tolist() for name in ("tma", "core")), strict=True))
    known = sorted(set(keys), key=lambda key: (natural(key[0]), natural(key[1])))
    numbers = {key: number for number, key in enumerate(known)}
    return np.array([numbers[key] for key in keys], dtype=np.int64)


def core_votes(table: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Votes and calls of every core; row i is core i of `core_numbers`.

    Parameters
    ----------
    table : DataFrame
        Result of `corespot.report.spot_table.spot_table`.
    classes : sequence of str
        Class names, in order.

    Returns
    -------
    DataFrame
        ``tma``, ``core``, ``patient``, ``class`` (label of most of its spots, empty where they are
        exactly divided), ``spots``, one ``votes_<class>`` and one ``prob_<class>`` (mean) a class,
        ``by_majority``, ``by_mean``, and ``right``: ``yes``, ``no``, or empty without a label, by
        the majority.

    Notes
    -----
    A tie of votes goes to the tied class of higher mean probability, as in the metrics. There,
    each repeat is judged alone; here, spots vote with their mean over repeats.
    """
    number = core_numbers(table)
    n = int(number.max()) + 1 if len(number) else 0
    first = np.unique(number, return_index=True)[1]
    names = [str(name) for name in classes]
    votes = _tally(number, table["predicted"], names, n)
    labels = _tally(number, table["class"], names, n)
    spots = np.bincount(number, minlength=n)
    sums = [np.bincount(number, weights=table[f"prob_{name}"], minlength=n) for name in names]
    # Sums differ in the last digits with the order of the spots; rounded, a tie stays a tie.
    mean = np.round(np.stack(sums, axis=1) / np.maximum(spots, 1)[:, None], 12)
    leading = votes == votes.max(axis=1, keepdims=True)
    known = np.array([*names, ""], dtype=object)
    best = labels.max(axis=1, keepdims=True)
    divided = ((labels == best).sum(axis=1) > 1) | (best[:, 0] == 0)
    true = known[np.where(divided, len(names), labels.argmax(axis=1))]
    called = known[np.where(leading, mean, -1.0).argmax(axis=1)]
    right = np.where(true == called, "yes", "no")
    here = table.iloc[first].reset_index(drop=True)
    return pd.DataFrame(
        {
            "tma": here["tma"].astype(str),
            "core": here["core"].astype(str),
            "patient": here["patient"].fillna("").astype(str),
            "class": true,
            "spots": spots,
            **{f"votes_{name}": votes[:, at] for at, name in enumerate(names)},
            **{f"prob_{name}": mean[:, at] for at, name in enumerate(names)},
            "by_majority": called,
            "by_mean": known[mean.argmax(axis=1)],
            "right": np.where(true == "", "", right),
        }
    )


def _tally(number: Ints, values: pd.Series, names: Sequence[str], n: int) -> Ints:
    """Spots of each class in each core, shape (n, n_classes)."""
    found = np.zeros((n, len(names)), dtype=np.int64)
    text = values.astype(str).to_numpy(dtype=object)
    for at, name in enumerate(names):
        found[:, at] = np.bincount(number[text == name], minlength=n)
    return found
