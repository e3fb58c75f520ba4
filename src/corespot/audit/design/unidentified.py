"""What a design cannot identify, in sentences with names and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from corespot.audit.design.association import IN_QUESTION
from corespot.audit.design.class_layout import ClassLayout, in_words


def unidentified(
    layout: ClassLayout,
    v: float | None,
    *,
    partitions: Sequence[str] = (),
    apart: Sequence[str] = (),
) -> tuple[str, ...]:
    """What the design cannot tell apart.

    Parameters
    ----------
    layout : ClassLayout
        Classes on TMAs.
    v : float or None
        Cramér's V of label and TMA; ``None`` with one TMA only.
    partitions : sequence of str
        Columns that part the spots exactly as the classes do.
    apart : sequence of str
        Other columns no value of which, or no range of whose values, two classes share.
    """
    found = []
    if len(layout.tmas) == 1:
        found.append(
            f"All spots are on one TMA, {layout.tmas[0]}: how the measurement differs between TMAs "
            "cannot be seen, nor how a model does on another one."
        )
    if layout.label_is_tma:
        found.append(
            "The classes are the TMAs themselves: what tells them apart is the measurement, or a "
            f"difference between the {layout.unit}s that happen to be on them."
        )
    elif layout.nested:
        where = "; ".join(
            f"{name} on {layout.tmas_in_words(layout.tmas_of(name))}" for name in layout.classes
        )
        found.append(
            f"No TMA holds both classes ({where})"
            if len(layout.classes) == 2
            else f"No TMA holds two classes ({where})"
        )
        found[-1] += (
            ": this design cannot separate the difference between the classes from the difference "
            "between the TMAs. A model trained on it is not shown to be useless; what it reads, "
            "tissue or measurement, cannot be decided from this cohort alone."
        )
    elif len(layout.tmas) > 1:
        if v is not None and v > IN_QUESTION:
            found.append(
                f"Label and TMA go together (V = {v:.2f}), though {_some_mixed(layout)}: a model "
                "can gain from reading the TMA, and only comparisons inside a TMA are free of it."
            )
        pairs = [
            f"{one} and {other}"
            for one, other in combinations(layout.classes, 2)
            if not set(layout.tmas_of(one)) & set(layout.tmas_of(other))
        ]
        found += [f"{pair} share no TMA: their difference may be one of TMAs." for pair in pairs]
    alone = [name for name in layout.classes if len(layout.tmas_of(name)) == 1]
    if len(layout.tmas) > 1 and alone and not layout.label_is_tma:
        where = in_words(
            [f"class {name} occurs on {layout.tmas_of(name)[0]} only" for name in alone]
        )
        found.append(
            f"{where[0].upper()}{where[1:]}: folds grouped by TMA cannot both train on "
            f"{'it' if len(alone) == 1 else 'them'} and test."
        )
    if partitions:
        found.append(
            f"Class and {in_words(partitions)} are the same partition: one cannot be told from the "
            f"other{'s' if len(partitions) > 1 else ''}."
        )
    found += [f"No two classes overlap in {column}." for column in apart]
    return tuple(found)


def _some_mixed(layout: ClassLayout) -> str:
    """How many TMAs hold more than one class."""
    n_mixed = int(((layout.counts > 0).sum(axis=1) > 1).sum())
    return (
        f"{n_mixed} of {len(layout.tmas)} TMAs {'holds' if n_mixed == 1 else 'hold'} more than one "
        "class"
    )
