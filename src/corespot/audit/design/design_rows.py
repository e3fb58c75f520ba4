"""How strongly the label of a task goes with each metadata column: a row for each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from corespot.audit.applicable import NotApplicable
from corespot.audit.design.association import IN_QUESTION, Association, associate
from corespot.audit.design.association_within import associate_within
from corespot.audit.design.metadata_column import ColumnValues, Kind
from corespot.audit.design.position_columns import positions, positions_on_core
from corespot.audit.permutation import holm
from corespot.cohort.groups import unit_ids
from corespot.cohort.tasks import TaskSpots

Scope = Literal["between", "within"]

#: Columns that hold names: read as levels even where the names look like numbers.
NAMES = ("file", "tma", "core", "patient")
#: p (Holm) up to which a column goes with the label beyond chance.
_LEVEL = 0.05


@dataclass(frozen=True)
class DesignRow:
    """Association of the label with one metadata column.

    Parameters
    ----------
    column : str
        The column; ``"slide x"``, ``"spot x"``, ``"core row"``, ``"acquisition order"`` and the
        like are derived from the spots' positions.
    scope : {"between", "within"}
        Between patients; or between the classes inside patients that hold several.
    kind : {"categorical", "numeric"}
        Levels (Cramér's V) or numbers (root of ε²).
    n_levels : int
        Different values.
    n_units, n_missing : int
        Patients (or cores) with a value and without one.
    association : float or NotApplicable
        0 to 1, bias-corrected.
    p : float or None
        Permutation p.
    p_holm : float or None
        The same, adjusted by Holm's method for the number of rows.
    exact : bool
        Whether all arrangements were looked at.
    n_arrangements : int
        How many were.
    """

    column: str
    scope: Scope
    kind: Kind
    n_levels: int
    n_units: int
    n_missing: int
    association: float | NotApplicable
    p: float | None = None
    p_holm: float | None = None
    exact: bool = False
    n_arrangements: int = 0

    @property
    def notable(self) -> bool:
        """Whether the column goes with the label beyond chance, and strongly."""
        return (
            isinstance(self.association, float)
            and self.association > IN_QUESTION
            and self.p_holm is not None
            and self.p_holm <= _LEVEL
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; what does not apply is null, with the reason."""
        plain: dict[str, Any] = {name: getattr(self, name) for name in self.__dataclass_fields__}
        if isinstance(self.association, NotApplicable):
            return {**plain, "association": None, **self.association.as_dict()}
        return plain


def design_rows(
    task: TaskSpots, columns: Mapping[str, ColumnValues], *, seed: int = 0
) -> list[DesignRow]:
    """Associate the label with every column and position, and adjust p for their number.

    Parameters
    ----------
    task : TaskSpots
        The spots of a task, control cores left out.
    columns : mapping of str to ColumnValues, one value a spot
        Metadata of the spots. Their positions are added.
    seed : int
        Seed of the random permutations.

    Returns
    -------
    list of DesignRow
        The strongest association first; what does not apply comes last.
    """
    return sorted(_adjusted(list(_each(task, columns, seed=seed))), key=_strongest_first)


def _each(
    task: TaskSpots, columns: Mapping[str, ColumnValues], *, seed: int
) -> Iterator[DesignRow]:
    """One row for each column, way of reading it and scope, in the order of the columns."""
    units = unit_ids(task.spots, "patient")
    n_units = len(np.unique(units))
    on_slide = positions(task.spots)
    for name, column in {**columns, **on_slide}.items():
        kinds: tuple[Kind, ...] = ("numeric",) if name in on_slide else column.kinds(n_units)
        for kind in ("categorical",) if name in NAMES else kinds:
            found = associate(task.y, len(task.classes), units, column, kind, seed=seed)
            yield _row(name, "between", kind, column, found, units)
    for name, column in {**columns, **positions_on_core(task.spots)}.items():
        if column.numbers is not None and name not in NAMES:
            inside = associate_within(task.y, units, column.numbers, seed=seed)
            if isinstance(inside, Association):
                yield _row(name, "within", "numeric", column, inside, units)


def _row(
    name: str,
    scope: Scope,
    kind: Kind,
    column: ColumnValues,
    found: Association | NotApplicable,
    units: npt.NDArray[np.str_],
) -> DesignRow:
    """What was found of a column, with what it holds where nothing could be found."""
    if isinstance(found, NotApplicable):
        known = len(np.unique(units[column.known]))
        missing = len(np.unique(units)) - known
        return DesignRow(name, scope, kind, len(column.levels), known, missing, found)
    test = found.test
    return DesignRow(
        column=name,
        scope=scope,
        kind=kind,
        n_levels=found.n_levels,
        n_units=found.n_units,
        n_missing=found.n_missing,
        association=found.value,
        p=test.p,
        exact=test.exact,
        n_arrangements=test.n_arrangements,
    )


def _adjusted(rows: list[DesignRow]) -> list[DesignRow]:
    """Rows with `p_holm` filled in."""
    tested = [at for at, row in enumerate(rows) if row.p is not None]
    adjusted = holm([rows[at].p or 0.0 for at in tested])
    filled = list(rows)
    for at, p in zip(tested, adjusted, strict=True):
        filled[at] = replace(rows[at], p_holm=p)
    return filled


def _strongest_first(row: DesignRow) -> tuple[float, float, str, str, str]:
    """Key to sort by: association, then p, then name."""
    strength = -1.0 if isinstance(row.association, NotApplicable) else row.association
    return (-strength, 2.0 if row.p is None else row.p, row.column, row.scope, row.kind)
