"""What a way out cost and what it brought: accuracy and audit, before and after."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.audit.indicators.masking import balanced_accuracy
from corespot.audit.shares.changed_spectra import class_columns
from corespot.cohort.groups import unit_ids
from corespot.cohort.tasks import TaskSpots
from corespot.evaluate.intervals import draw_patients, percentile_interval
from corespot.mitigate.prepare import SpectraSource
from corespot.train.crossvalidate import FoldResult


@dataclass(frozen=True)
class Counterfactual:
    """Accuracy on a second cohort whose design is broken.

    Parameters
    ----------
    balanced_accuracy : float
        Of spots, mean over the models of the folds.
    interval : tuple of float or None
        95 % bootstrap interval over the cohort's patients.
    drop_interval : tuple of float or None
        The same of what is lost against the first cohort, over the patients of both.
    """

    balanced_accuracy: float
    interval: tuple[float, float] | None
    drop_interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Standing:
    """How a model does: accuracy and audit.

    Parameters
    ----------
    cross_validated : float
        Balanced accuracy of the held-out spots, mean over repeats.
    counterfactual : Counterfactual or None
        On the second cohort; ``None`` if there is none.
    readings : mapping of str to float or None
        Readings of the audit; ``None`` where one is not applicable.
    verdict, sentence : str
        Its verdict, as a word and in words; empty where it was not judged.
    """

    cross_validated: float
    counterfactual: Counterfactual | None = None
    readings: Mapping[str, float | None] = field(default_factory=dict)
    verdict: str = ""
    sentence: str = ""

    @property
    def drop(self) -> float | None:
        """Accuracy lost on the second cohort."""
        if self.counterfactual is None:
            return None
        return self.cross_validated - self.counterfactual.balanced_accuracy


@dataclass(frozen=True)
class BeforeAfter:
    """A model without and with ways out.

    Parameters
    ----------
    task, model : str
        Names.
    ways : tuple of str
        Names of the ways.
    before, after : Standing
        Without them, and with them.
    """

    task: str
    model: str
    ways: tuple[str, ...]
    before: Standing
    after: Standing

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        found = asdict(self) | {"ways": list(self.ways)}
        for name, standing in (("before", self.before), ("after", self.after)):
            found[name] = asdict(standing) | {"drop": standing.drop}
            found[name]["readings"] = dict(standing.readings)
        return found

    def rows(self) -> list[tuple[str, float | None, float | None]]:
        """What is compared, before and after; readings that neither has are left out."""
        pairs = (self.before, self.after)
        lines: list[tuple[str, float | None, float | None]] = [
            (
                "balanced accuracy, cross-validated",
                self.before.cross_validated,
                self.after.cross_validated,
            )
        ]
        if any(one.counterfactual is not None for one in pairs):
            second = [
                None if one.counterfactual is None else one.counterfactual.balanced_accuracy
                for one in pairs
            ]
            lines.append(("balanced accuracy, second cohort", second[0], second[1]))
            lines.append(("accuracy lost there", self.before.drop, self.after.drop))
        names = list(dict.fromkeys([*self.before.readings, *self.after.readings]))
        lines += [
            (name, self.before.readings.get(name), self.after.readings.get(name)) for name in names
        ]
        return lines

    def table(self) -> str:
        """A plain text table, the intervals, and what the new verdict says."""
        lines = [("", "before", "after", "change")]
        if self.before.verdict or self.after.verdict:
            words = [one.verdict.replace("_", " ") for one in (self.before, self.after)]
            lines.append(("verdict", words[0], words[1], ""))
        lines += [
            (name.replace("_", " "), _number(before), _number(after), _change(before, after))
            for name, before, after in self.rows()
        ]
        width = [max(8, *(len(line[at]) for line in lines)) for at in range(4)]
        title = f"{self.task}, {self.model}, with {' and '.join(self.ways) or 'no way out'}"
        body = [
            f"{name:<{width[0]}}  {before:>{width[1]}}  {after:>{width[2]}}  {change:>8}".rstrip()
            for name, before, after, change in lines
        ]
        said = [textwrap.fill(f"after: {self.after.sentence}", 96)] if self.after.sentence else []
        return "\n".join([title, *body, *self._intervals(), *said])

    def _intervals(self) -> list[str]:
        told = []
        for when, one in (("before", self.before), ("after", self.after)):
            there = one.counterfactual
            if there is None:
                continue
            for what, ends in (("accuracy", there.interval), ("loss", there.drop_interval)):
                if ends is not None:
                    told.append(
                        f"second cohort, {what} {when}: 95 % interval over patients "
                        f"{ends[0]:.3f} to {ends[1]:.3f}"
                    )
        return told


def pooled_accuracy(predictions: pd.DataFrame, classes: Sequence[str]) -> float:
    """Balanced accuracy of out-of-fold predictions, pooled over folds, mean over repeats.

    Parameters
    ----------
    predictions : DataFrame
        ``repeat``, ``y`` and one ``prob_<class>`` a class.
    classes : sequence of str
        Class names in the order of `y`.
    """
    columns = [f"prob_{name}" for name in classes]
    named = predictions[columns].to_numpy(np.float64).argmax(axis=1).astype(np.int64)
    truth = predictions["y"].to_numpy(np.int64)
    repeat = predictions["repeat"].to_numpy()
    return float(
        np.mean([balanced_accuracy(truth[repeat == r], named[repeat == r]) for r in set(repeat)])
    )


def cross_validated_accuracy(results: Iterable[FoldResult], task: TaskSpots) -> float:
    """Balanced accuracy of held-out spots, pooled over the folds of a repeat, mean over repeats."""
    held: dict[int, list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]] = {}
    for result in results:
        truth = task.y[np.searchsorted(task.rows, result.fold.test_rows)]
        named = result.probabilities.argmax(axis=1).astype(np.int64)
        held.setdefault(result.fold.repeat, []).append((truth, named))
    scores = [
        balanced_accuracy(*(np.concatenate(part) for part in zip(*pairs, strict=True)))
        for pairs in held.values()
    ]
    return float(np.mean(scores))


def counterfactual_accuracy(
    results: Iterable[FoldResult],
    store: SpectraSource,
    task: TaskSpots,
    *,
    n_bootstrap: int = 1000,
    rng: np.random.Generator,
) -> Counterfactual:
    """Balanced accuracy of the folds' models on a second cohort.

    Parameters
    ----------
    results : iterable of FoldResult
        Of the first cohort; those of ways that correct TMAs see the second one corrected, too.
    store : SpectraSource
        Spectra of the second cohort.
    task : TaskSpots
        The same classes in it.
    n_bootstrap : int
        Resamples of patients; 0 for no interval.
    rng : Generator
        Source of randomness.

    Notes
    -----
    Patients are drawn with replacement within the class of most of their spots; a patient brings
    all its spots, in every fold's model.
    """
    right = []
    for result in results:
        seen = getattr(result, "spectra_of", None)
        x = store.rows(task.rows) if seen is None else seen(store, task)
        order = class_columns(result.estimator, task.classes)
        named = result.estimator.predict_proba(x)[:, order].argmax(axis=1)
        right.append(named == task.y)
    share = np.mean(right, axis=0)
    _, code = np.unique(unit_ids(task.spots, "patient"), return_inverse=True)
    counts = np.zeros((code.max() + 1, len(task.classes)))
    hits = np.zeros_like(counts)
    np.add.at(counts, (code, task.y), 1.0)
    np.add.at(hits, (code, task.y), share)
    occurs = counts.sum(axis=0) > 0
    value = float(np.mean((hits.sum(axis=0) / np.maximum(counts.sum(axis=0), 1))[occurs]))
    if n_bootstrap == 0 or np.any((counts > 0).sum(axis=0)[occurs] < 2):
        return Counterfactual(value, None)
    draws = draw_patients(counts.argmax(axis=1), n_bootstrap, rng)
    with np.errstate(invalid="ignore", divide="ignore"):
        recall = (draws @ hits[:, occurs]) / (draws @ counts[:, occurs])
    interval = percentile_interval(recall.mean(axis=1))
    return Counterfactual(value, None if interval is None else (interval[0], interval[1]))


def _number(value: float | None) -> str:
    # Adding zero takes the sign off a negative one.
    return "–" if value is None else f"{round(value, 3) + 0.0:.3f}"


def _change(before: float | None, after: float | None) -> str:
    return "" if before is None or after is None else f"{after - before:+.3f}"
