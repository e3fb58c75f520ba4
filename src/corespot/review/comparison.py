"""Two runs against each other over what both have predicted, and in what they are not alike."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import pandas as pd

from corespot.errors import StoreError
from corespot.evaluate.aggregate import Units, spot_units
from corespot.evaluate.paired import PAIRED_METRICS, Resamples, differences, resample
from corespot.review.run_record import RunRecord
from corespot.tracking.reading import LoggedRun

#: What the compared metrics are called.
METRIC_NAMES = {
    "balanced_accuracy": "balanced accuracy",
    "auc": "AUC",
    "f1": "F1",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
}
#: How paired differences are to be read.
PAIRED_SAID = (
    "Every resample of the patients is applied to both runs, so that what makes a patient hard "
    "for both cancels out. An interval that holds zero: the runs cannot be told apart with these "
    "patients. Values are pooled over folds. The intervals are not corrected for looking at many, "
    "and know nothing of other TMAs."
)
_PLACE = ["file", "x", "y"]
_UNKNOWN = ("", "unknown")


@dataclass(frozen=True, eq=False)
class PairedRuns:
    """How a run differs from a reference over what both have predicted.

    Parameters
    ----------
    differences : DataFrame
        Result of `paired_differences`.
    folds : DataFrame
        Result of `fold_differences`; empty where the folds are not the same.
    n_patients, n_spots : int
        What both have predicted, with the same label.
    n_reference, n_run : int
        Spots that each has predicted.
    same_folds, same_task : bool
        Whether they share them.
    """

    differences: pd.DataFrame
    folds: pd.DataFrame
    n_patients: int
    n_spots: int
    n_reference: int
    n_run: int
    same_folds: bool
    same_task: bool

    def sentence(self) -> str:
        """What was compared, in words."""
        said = f"paired over {self.n_patients} patients ({self.n_spots:,} spots)"
        if self.n_spots < max(self.n_reference, self.n_run):
            said += (
                f", the part that both have predicted (of {self.n_run:,} spots, and of "
                f"{self.n_reference:,} of the reference)"
            )
        said += ", in the same folds" if self.same_folds else ", each in its own folds"
        return said if self.same_task else f"{said}; the runs are of different tasks"


def compare_runs(
    reference: RunRecord,
    run: RunRecord,
    *,
    n_bootstrap: int = 1000,
    seed: int = 0,
    kept: MutableMapping[str, Resamples] | None = None,
) -> PairedRuns:
    """Compare a run with a reference, patient by patient and, where they are shared, by fold.

    Parameters
    ----------
    reference, run : RunRecord
        The two.
    n_bootstrap : int
        Resamples of the patients behind the intervals.
    seed : int
        Seed of the resampling.
    kept : mutable mapping of str to Resamples, optional
        Where what was computed of a run is kept: against another reference it is the same, as
        long as the spots are.

    Raises
    ------
    StoreError
        If a file is missing, the classes differ, or no spot is shared.
    """
    names = reference.classes
    if set(run.classes) != set(names):
        raise StoreError(
            f"the classes differ ({', '.join(names)} and {', '.join(run.classes)}), so that the "
            "figures answer different questions and have no difference"
        )
    sides = [_side(one, names, number) for number, one in enumerate((reference, run))]
    same_store = _same_tag(reference.run, run.run, "dvc.store")
    spots = _shared(*(table[1] for table in sides), by_row=same_store)
    if spots.empty:
        raise StoreError(
            "no spot was predicted by both runs with the same label: there is nothing to pair"
        )
    found = []
    for one, (predictions, _, number) in zip((reference, run), sides, strict=True):
        place = pd.Series(np.arange(len(spots)), index=spots[f"row{number}"])
        part = predictions[predictions["row"].isin(place.index)]
        part = part.assign(row=place.loc[part["row"]].to_numpy())
        units = spot_units(part, spots, names)
        key = _key(one, units, n_bootstrap, seed)
        resamples = kept.get(key) if kept is not None else None
        if resamples is None:
            resamples = resample(units, n_bootstrap=n_bootstrap, seed=seed)
            if kept is not None:
                kept[key] = resamples
        found.append(resamples)
    same_folds = _same_tag(reference.run, run.run, "folds.fingerprint")
    return PairedRuns(
        differences=differences(*found),
        folds=_fold_part(reference, run) if same_folds else _no_folds(),
        n_patients=found[0].n_patients,
        n_spots=found[0].n_spots,
        n_reference=int(sides[0][0]["row"].nunique()),
        n_run=int(sides[1][0]["row"].nunique()),
        same_folds=same_folds,
        same_task=reference.run.task == run.run.task,
    )


def fold_differences(reference: pd.DataFrame, run: pd.DataFrame) -> pd.DataFrame:
    """Differences fold by fold of two runs with the same folds.

    Parameters
    ----------
    reference, run : DataFrame
        Tables ``fold_metrics``: ``repeat``, ``fold``, ``level``, ``metric``, ``value``.

    Returns
    -------
    DataFrame
        One row a level and metric: ``level``, ``metric``, ``mean`` (run − reference),
        ``lowest``, ``highest``, ``n_better`` (folds in which the run is higher), ``n_folds``.

    Raises
    ------
    StoreError
        If a column is missing.
    """
    keys = ["repeat", "fold", "level", "metric"]
    for table in (reference, run):
        missing = [name for name in (*keys, "value") if name not in table]
        if missing:
            raise StoreError(f"the table of fold metrics lacks the column {missing[0]!r}")
    both = reference.merge(run, on=keys, suffixes=("_reference", "_run"))
    both = both[both["metric"].isin(PAIRED_METRICS)]
    gained = both["value_run"] - both["value_reference"]
    both = both.assign(gained=gained, better=gained > 0).dropna(subset=["gained"])
    grouped = both.groupby(["level", "metric"], sort=False)
    return grouped.agg(
        mean=("gained", "mean"),
        lowest=("gained", "min"),
        highest=("gained", "max"),
        n_better=("better", "sum"),
        n_folds=("gained", "size"),
    ).reset_index()


def _key(record: RunRecord, units: Units, n_bootstrap: int, seed: int) -> str:
    """Names what a run predicted of these spots, and how it is resampled."""
    run = record.run
    digest = sha256(f"{run.artifact_uri} {run.run_id} {n_bootstrap} {seed}".encode())
    for column in (units.patient, units.core, units.y, units.repeat, units.fold):
        digest.update(np.ascontiguousarray(column).tobytes())
    digest.update(np.ascontiguousarray(units.probability).tobytes())
    return digest.hexdigest()


def _side(
    record: RunRecord, names: tuple[str, ...], number: int
) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """Predictions with classes in the order of `names`, their spots with labels, the number."""
    predictions, spots = record.table("predictions"), record.table("spots")
    who = f"run {record.run.run_id} ({record.run.name})"
    for table, kind, wanted in (
        (predictions, "predictions", ["row", "repeat", "fold", "y"]),
        (spots, "spot table", ["row", "core", "patient", *_PLACE]),
    ):
        missing = [column for column in wanted if column not in table]
        if missing:
            raise StoreError(f"the {kind} of {who} lacks the column {missing[0]!r}")
    own = record.classes
    texts = [f"prob_{name}" for name in own if f"prob_{name}" in predictions]
    if not all(pd.api.types.is_numeric_dtype(predictions[column]) for column in texts):
        raise StoreError(f"the predictions of {who} hold probabilities that are no numbers")
    if own != names:
        place = np.array([names.index(name) for name in own])
        inside = predictions["y"].between(0, len(own) - 1)
        if not inside.all():
            raise StoreError(f"the predictions of {who} name a class that it has not")
        predictions = predictions.assign(y=place[predictions["y"].to_numpy(dtype=np.int64)])
    label = predictions.drop_duplicates("row").set_index("row")["y"]
    known = spots[spots["row"].isin(label.index)].drop_duplicates("row")
    known = known.assign(label=label.loc[known["row"]].to_numpy())
    return predictions, known.rename(columns={"row": f"row{number}"}), number


def _shared(reference: pd.DataFrame, run: pd.DataFrame, *, by_row: bool) -> pd.DataFrame:
    """Spots of both with the same label, in one order; row i is spot i of the comparison."""
    if by_row:
        wanted = run[["row1", "label"]].assign(row0=run["row1"])
        both = reference.merge(wanted, on=["row0", "label"])
    else:
        # Another store numbers its rows otherwise; where a spot lies is what identifies it.
        both = reference.merge(run[["row1", "label", *_PLACE]], on=[*_PLACE, "label"])
        both = both.drop_duplicates("row0").drop_duplicates("row1")
    return both.sort_values("row0", ignore_index=True)


def _same_tag(one: LoggedRun, other: LoggedRun, tag: str) -> bool:
    value = one.tags.get(tag, "")
    return value not in _UNKNOWN and value == other.tags.get(tag, "")


def _fold_part(reference: RunRecord, run: RunRecord) -> pd.DataFrame:
    try:
        tables = reference.table("fold_metrics"), run.table("fold_metrics")
        return fold_differences(*tables)
    except StoreError:
        return _no_folds()


def _no_folds() -> pd.DataFrame:
    columns = ["level", "metric", "mean", "lowest", "highest", "n_better", "n_folds"]
    return pd.DataFrame(columns=columns)
