"""Audit of a design before any training: which metadata go with the label of a task."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.audit.applicable import NotApplicable
from corespot.audit.association import (
    Association,
    ColumnValues,
    Kind,
    associate,
    associate_within,
    read_column,
)
from corespot.audit.control_cores import find_control_spots
from corespot.audit.permutation import holm
from corespot.audit.repairs import IN_QUESTION, ClassLayout, repairs, unidentified
from corespot.cohort.groups import unit_ids
from corespot.cohort.tasks import TaskSpots, as_text
from corespot.errors import ParamsError

Floats = npt.NDArray[np.float64]
Scope = Literal["between", "within"]

#: Columns of the spot table that say where and when; they are looked at as positions.
POSITIONS = {"x": "slide x", "y": "slide y", "spectrum": "acquisition order"}
_POSITIONS_ON_CORE = {"x": "spot x", "y": "spot y", "spectrum": "spot order"}
_PLACES = (*POSITIONS.values(), "core column", "core row")
#: Names, whatever they look like.
_IDS = ("file", "tma", "core", "patient")
_EMPTY_WHERE = 'where: {%s: ""}'
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


@dataclass(frozen=True)
class DesignAudit:
    """What the design of a task allows to be said.

    Parameters
    ----------
    task : str
        Name of the task.
    layout : ClassLayout
        Patients (or cores) of each class on each TMA.
    n_units : int
        Patients (or cores).
    v : float or NotApplicable
        Bias-corrected Cramér's V of label and TMA.
    rows : tuple of DesignRow
        One for each column, the strongest association first.
    unidentified : tuple of str
        What cannot be told apart.
    repairs : tuple of str
        What would change that.
    """

    task: str
    layout: ClassLayout
    n_units: int
    v: float | NotApplicable
    rows: tuple[DesignRow, ...]
    unidentified: tuple[str, ...]
    repairs: tuple[str, ...]

    @property
    def nested(self) -> bool:
        """Whether no TMA holds two classes."""
        return self.layout.nested

    def row(self, column: str, kind: Kind | None = None) -> DesignRow:
        """The first row of a column."""
        for row in self.rows:
            if row.column == column and kind in (None, row.kind):
                return row
        raise KeyError(f"no row of column {column!r}")

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        layout = self.layout
        return {
            "task": self.task,
            "classes": list(layout.classes),
            "unit": layout.unit,
            "n_units": self.n_units,
            "tmas": {
                tma: dict(zip(layout.classes, row, strict=True))
                for tma, row in zip(layout.tmas, layout.counts.tolist(), strict=True)
            },
            "nested": self.nested,
            "V": None if isinstance(self.v, NotApplicable) else self.v,
            "columns": [row.as_dict() for row in self.rows],
            "unidentified": list(self.unidentified),
            "repairs": list(self.repairs),
        }

    def text(self) -> str:
        """The audit for a terminal."""
        layout = self.layout
        v = "not applicable" if isinstance(self.v, NotApplicable) else f"{self.v:.2f}"
        table = pd.DataFrame(layout.counts, index=[*layout.tmas], columns=[*layout.classes])
        lines = [
            f"{self.task}: {self.n_units} {layout.unit}s, {', '.join(layout.classes)}",
            f"V of label and TMA: {v}",
            f"\n{layout.unit}s of each class on each TMA",
            table.to_string(),
            "\nassociation of the label with metadata",
            pd.DataFrame([_shown(row) for row in self.rows]).to_string(index=False),
        ]
        for title, sentences in (
            ("what cannot be identified", self.unidentified or ("Nothing was found.",)),
            ("what would repair it", self.repairs or ("Nothing is called for.",)),
        ):
            lines += [f"\n{title}", *(f"- {sentence}" for sentence in sentences)]
        return "\n".join(lines)


def audit_design(
    task: TaskSpots,
    columns: Mapping[str, npt.NDArray[Any]] | None = None,
    *,
    leave_out: Collection[str] = (),
    control: str = "control",
    seed: int = 0,
) -> DesignAudit:
    """Measure how far the label of a task goes with TMA, position and every metadata column.

    Parameters
    ----------
    task : TaskSpots
        The spots of a task. Control cores among them are left out.
    columns : mapping of str to ndarray, shape (n,), optional
        Further values of each spot of the task, such as its raw total ion count.
    leave_out : collection of str
        Columns of the spot table that are labels of other tasks, no metadata.
    control : str
        Column that marks control cores.
    seed : int
        Seed of the random permutations.

    Raises
    ------
    ParamsError
        If a further column is not as long as the task.

    Notes
    -----
    Units are patients, and cores where patients are unknown; see
    `corespot.audit.association.associate`. Numbers that differ inside units that hold several
    classes (tumour and stroma of one core) have a second row, within units. ``core row`` and
    ``core column`` are the lines of a grid into which the centres of a TMA's cores fall.

    Measured on 250 cohorts of 16 patients on 4 TMAs with classes dealt at random: 4.0 % of rows had
    p of .05 or less, and .8 % of cohorts any row with p (Holm) of .05 or less. V of label and TMA
    was above .3 in 23 % of them: V describes the imbalance that is there, also one that chance
    made, and a model can use it all the same. Paper scale (26,755 spots, 304 patients, 12 TMAs):
    3.3 s.

    """
    extra = dict(columns or {})
    for name, values in extra.items():
        if len(values) != len(task):
            raise ParamsError(
                f"column {name!r} has {len(values)} values, but task {task.name} has "
                f"{len(task)} spots: give one for each"
            )
    n_controls = 0
    is_control = find_control_spots(task.spots, control)
    if is_control.any() and not is_control.all():
        n_controls = task.spots.loc[is_control, "core"].nunique()
        task = _without(task, is_control)
        extra = {name: np.asarray(values)[~is_control] for name, values in extra.items()}
    ignored = {task.label, task.truth_label, control, *leave_out, *POSITIONS} - {"tma"}
    metadata = [str(name) for name in task.spots.columns if name not in ignored]
    read = {name: read_column(task.spots[name]) for name in metadata}
    read |= {name: read_column(values) for name, values in extra.items()}
    rows = sorted(_adjusted(list(_rows(task, read, seed=seed))), key=_strongest_first)
    layout = ClassLayout.of(task, "core" if _patients_unknown(task.spots) else "patient")
    v = next(row.association for row in rows if row.column == "tma")
    v_number = None if isinstance(v, NotApplicable) else v
    stratify_by, match_on = _comparable(task, read, rows)
    advice = repairs(
        layout,
        v_number,
        has_controls=control in task.spots,
        stratify_by=stratify_by,
        match_on=match_on,
        mix_over=[row.column for row in rows if row.notable and row.column in _PLACES],
    )
    if n_controls:
        advice += (
            f"Leave the {n_controls} control cores out of the task ({_EMPTY_WHERE % control}), "
            "so that no model is trained on them; this audit did.",
        )
    return DesignAudit(
        task=task.name,
        layout=layout,
        n_units=len(np.unique(unit_ids(task.spots, "patient"))),
        v=v,
        rows=tuple(rows),
        unidentified=unidentified(
            layout,
            v_number,
            partitions=[name for name, column in read.items() if _same_partition(task, column)],
            apart=[name for name, column in read.items() if _apart(task, read["tma"], column)],
        ),
        repairs=advice,
    )


def _rows(task: TaskSpots, read: Mapping[str, ColumnValues], *, seed: int) -> Iterator[DesignRow]:
    """One row for each column, way of reading it and scope."""
    units = unit_ids(task.spots, "patient")
    n_units = len(np.unique(units))
    positions = _positions(task.spots)
    for name, column in {**read, **positions}.items():
        kinds: tuple[Kind, ...] = ("numeric",) if name in positions else column.kinds(n_units)
        for kind in ("categorical",) if name in _IDS else kinds:
            found = associate(task.y, len(task.classes), units, column, kind, seed=seed)
            yield _row(name, "between", kind, column, found, units)
    for name, column in {**read, **_positions_on_core(task.spots)}.items():
        if column.numbers is not None and name not in _IDS:
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
    strength = -1.0 if isinstance(row.association, NotApplicable) else row.association
    return (-strength, 2.0 if row.p is None else row.p, row.column, row.scope, row.kind)


def _positions(spots: pd.DataFrame) -> dict[str, ColumnValues]:
    """Where the spots lie on their slide, and when they were measured."""
    found = {shown: read_column(spots[name]) for name, shown in POSITIONS.items() if name in spots}
    lines = {"core column": "x", "core row": "y"}
    return found | {
        shown: read_column(_grid_line(spots, name))
        for shown, name in lines.items()
        if name in spots
    }


def _positions_on_core(spots: pd.DataFrame) -> dict[str, ColumnValues]:
    """The same from the middle of their core."""
    core = spots["core"].astype(str)
    return {
        shown: read_column(spots[name] - spots[name].groupby(core).transform("mean"))
        for name, shown in _POSITIONS_ON_CORE.items()
        if name in spots
    }


def _grid_line(spots: pd.DataFrame, name: str) -> npt.NDArray[np.int64]:
    """Row or column of each spot's core: centres closer than half a core are on one line."""
    cores = spots.groupby(["tma", "core"])[name].agg(["min", "max"]).reset_index()
    cores["centre"] = (cores["min"] + cores["max"]) / 2
    half = float((cores["max"] - cores["min"] + 1).median()) / 2
    cores = cores.sort_values(["tma", "centre"])
    begins = cores.groupby("tma")["centre"].diff() > half
    line = dict(zip(cores["core"], begins.groupby(cores["tma"]).cumsum() + 1, strict=True))
    return spots["core"].map(line).to_numpy(np.int64)


def _comparable(
    task: TaskSpots, read: Mapping[str, ColumnValues], rows: Collection[DesignRow]
) -> tuple[list[str], list[str]]:
    """Columns that go with the label and hold several classes: to stratify by, to match on."""
    names = [
        row.column
        for row in rows
        if row.notable
        and row.column in read
        and row.column not in _IDS
        and not _constant_within(read["tma"], read[row.column])
    ]
    names = list(dict.fromkeys(names))
    by_kind: dict[str, list[str]] = {"categorical": [], "numeric": []}
    for name in names:
        kinds = {row.kind for row in rows if row.column == name and row.notable}
        if "categorical" not in kinds:
            by_kind["numeric"].append(name)
        elif _pairs(read[name].codes, task.y)[1] > 1:
            by_kind["categorical"].append(name)
    return by_kind["categorical"], by_kind["numeric"]


def _pairs(outer: npt.NDArray[Any], inner: npt.NDArray[Any]) -> tuple[int, int]:
    """Number of different pairs of known values, and the most values of `inner` in one `outer`."""
    known = (outer >= 0) & (inner >= 0)
    pairs = np.unique(np.stack([outer[known], inner[known]]), axis=1)
    return pairs.shape[1], int(np.bincount(pairs[0]).max()) if pairs.size else 0


def _constant_within(outer: ColumnValues, inner: ColumnValues) -> bool:
    """Whether a column has one value for each value of another."""
    return _pairs(outer.codes, inner.codes)[1] <= 1


def _same_partition(task: TaskSpots, column: ColumnValues) -> bool:
    n_classes = len(task.classes)
    known = column.codes[column.known]
    return (
        len(np.unique(known)) == n_classes == len(np.unique(task.y[column.known]))
        and _pairs(task.y, column.codes)[0] == n_classes
    )


def _apart(task: TaskSpots, tma: ColumnValues, column: ColumnValues) -> bool:
    """Whether no two classes share a value, or a range of numbers, and TMAs are not the reason."""
    if len(column.levels) < 2 or _same_partition(task, column):
        return False
    present = [one for one in range(len(task.classes)) if np.any(column.known & (task.y == one))]
    if len(present) < 2:
        return False
    if column.numbers is not None:
        of_class = [column.numbers[column.known & (task.y == one)] for one in present]
        ranges = sorted((values.min(), values.max()) for values in of_class)
        return all(low > high for (_, high), (low, _) in pairwise(ranges))
    shared_units = (
        _pairs(column.codes, np.unique(unit_ids(task.spots, "patient"), return_inverse=True)[1])[1]
        > 1
    )
    disjoint = _pairs(column.codes, task.y)[1] == 1
    return disjoint and shared_units and not _constant_within(tma, column)


def _patients_unknown(spots: pd.DataFrame) -> bool:
    """Whether no patient is named, or every core is named as a patient of its own."""
    patient = as_text(spots["patient"])
    return bool(((patient == "") | (patient == as_text(spots["core"]))).all())


def _without(task: TaskSpots, left_out: npt.NDArray[np.bool_]) -> TaskSpots:
    keep = ~left_out
    return replace(
        task,
        rows=task.rows[keep],
        y=task.y[keep],
        spots=task.spots[keep].reset_index(drop=True),
        truth=None if task.truth is None else task.truth[keep],
    )


def _shown(row: DesignRow) -> dict[str, str]:
    """A row of the table for a terminal."""
    stated = None if isinstance(row.association, NotApplicable) else row.association
    return {
        "column": row.column + (" (within units)" if row.scope == "within" else ""),
        "kind": row.kind,
        "values": str(row.n_levels),
        "units": str(row.n_units),
        "missing": str(row.n_missing),
        "association": "–" if stated is None else f"{stated:.2f}",
        "p": _p(row.p),
        "p (Holm)": _p(row.p_holm),
        "": row.association.reason
        if isinstance(row.association, NotApplicable)
        else ("exact" if row.exact else ""),
    }


def _p(value: float | None) -> str:
    return "–" if value is None else f"{value:.1g}" if value < 0.001 else f"{value:.3f}"
