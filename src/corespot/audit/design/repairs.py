"""What would repair a design, in sentences with names and numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from corespot.audit.design.association import IN_QUESTION, cramers_v
from corespot.audit.design.class_layout import ClassLayout, in_words

Ints = npt.NDArray[np.int64]


def repairs(
    layout: ClassLayout,
    v: float | None,
    *,
    has_controls: bool,
    stratify_by: Sequence[str] = (),
    match_on: Sequence[str] = (),
    mix_over: Sequence[str] = (),
) -> tuple[str, ...]:
    """What would repair the design, most decisive first.

    Parameters
    ----------
    layout : ClassLayout
        Classes on TMAs.
    v : float or None
        Cramér's V of label and TMA; ``None`` with one TMA only.
    has_controls : bool
        Whether the cohort marks control cores.
    stratify_by, match_on : sequence of str
        Columns with levels and numeric columns that are associated with the class, inside which
        the classes can still be compared.
    mix_over : sequence of str
        Positions (slide x, acquisition order) that are associated with the class.
    """
    found = []
    if len(layout.tmas) == 1:
        found.append(
            "Measure further TMAs, each with every class: the model can then be tested on a TMA "
            "it has not seen."
        )
    elif layout.label_is_tma:
        found.append(
            "No further measurement makes this a question about tissue; keep it as a negative "
            "control: it says how much of the TMA a model can see."
        )
    elif layout.nested or (v is not None and v > IN_QUESTION):
        found += [*_fill_up(layout), *_only_mixed_tmas(layout)]
        found.append(
            "Control cores are marked: test that the model's score on them does not depend on the "
            "TMA."
            if has_controls
            else "Put control cores of one tissue on every TMA "
            f"({layout.tmas_in_words(layout.tmas)}) and mark them in the column control of "
            "cores.csv: the model's score on them must not depend on the TMA."
        )
        found.append(
            f"Measure a second cohort with a broken design, new patients of "
            f"{in_words(layout.classes)} on every TMA, and test the model on it unchanged."
        )
    found += [
        f"Compare the classes inside {column}: stratify folds by it, or report the result for each "
        "of its values."
        for column in stratify_by
    ]
    found += [
        f"Match the {layout.unit}s of the classes on {column}, or report the result for its lower, "
        "middle and upper third."
        for column in match_on
    ]
    if mix_over and not layout.nested:
        found.append(
            f"Mix the classes over {in_words(mix_over)} when a TMA is laid out and measured; here, "
            "compare cores that lie side by side."
        )
    return tuple(found)


def _fill_up(layout: ClassLayout) -> list[str]:
    """The fewest further cores on each TMA that bring V to where it is not in question."""
    counts, v = layout.counts, 1.0
    for least in range(1, int(layout.counts.max()) + 1):
        counts = layout.filled_up(least)
        v = _v_of_counts(counts)
        if v <= IN_QUESTION and np.all(counts > 0):
            break
    more = counts - layout.counts
    asked: dict[tuple[int, int], list[str]] = {}
    for tma, row in zip(layout.tmas, more, strict=True):
        for at, n in enumerate(row):
            if n:
                asked.setdefault((at, int(n)), []).append(tma)
    if not asked:
        return []
    orders = [
        f"{n} more {layout.unit}{'' if n == 1 else 's'} of class {layout.classes[at]} on "
        f"{'each of ' if len(tmas) > 1 else ''}{layout.tmas_in_words(tmas)}"
        for (at, n), tmas in sorted(asked.items())
    ]
    shown = orders[:6] + ([f"{len(orders) - 6} more such steps"] if len(orders) > 6 else [])
    return [
        f"Measure {in_words(shown)} ({int(more.sum())} in all): V of label and TMA falls from "
        f"{_v_of_counts(layout.counts):.2f} to {v:.2f}."
    ]


def _only_mixed_tmas(layout: ClassLayout) -> list[str]:
    """TMAs that hold every class, if they can be used by themselves."""
    whole = np.asarray((layout.counts > 0).all(axis=1))
    if not whole.any() or whole.all():
        return []
    names = [tma for tma, has in zip(layout.tmas, whole, strict=True) if has]
    n = layout.counts[whole].sum(axis=0)
    held = in_words([f"{k} of {name}" for name, k in zip(layout.classes, n, strict=True)])
    return [
        f"Test on {layout.tmas_in_words(names)} alone, which "
        f"{'holds' if len(names) == 1 else 'hold'} every class ({layout.unit}s: {held})."
    ]


def _v_of_counts(counts: Ints) -> float:
    """Cramér's V of a table of counts."""
    tma, label = np.indices(counts.shape).reshape(2, -1)
    rows = np.repeat(np.arange(counts.size), counts.ravel())
    labels, tmas = np.eye(counts.shape[1])[label[rows]], np.eye(counts.shape[0])[tma[rows]]
    return cramers_v(labels, tmas[:, tmas.any(axis=0)])
