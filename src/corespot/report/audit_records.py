"""The parts of a stored audit that pages show, each read from its plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from corespot.audit.applicable import NotApplicable
from corespot.audit.verdict.readings import Reading

Interval = tuple[float, float]


@dataclass(frozen=True)
class SharesOfClass:
    """Shares of the class gap of one class against the rest.

    Parameters
    ----------
    shares : mapping of str to float
        By part: ``off_peak``, ``gain``, ``calibration``, ``resolution``, ``peak``,
        ``non_peptide`` and ``artifact``, as far as they could be told.
    intervals : mapping of str to (float, float) or None
        95 % interval over patients.
    by_fold : mapping of str to tuple of float
        Shares of every fold.
    missing : mapping of str to NotApplicable
        The other parts, each with the reason.
    """

    shares: Mapping[str, float]
    intervals: Mapping[str, Interval | None]
    by_fold: Mapping[str, tuple[float, ...]]
    missing: Mapping[str, NotApplicable]

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Self:
        """From what `corespot.audit.shares.class_shares.ClassShares.as_dict` gave."""
        return cls(
            {part: float(share) for part, share in plain["shares"].items()},
            {part: interval_of(ends) for part, ends in plain["intervals"].items()},
            {part: tuple(map(float, values)) for part, values in plain["by_fold"].items()},
            {
                part: NotApplicable(str(why["not_applicable"]))
                for part, why in plain["missing"].items()
            },
        )


@dataclass(frozen=True)
class Leakage:
    """How far the scores of patients of one class follow a metadata column.

    Parameters
    ----------
    leakage, p : float
        Share of the variance that the column explains, the largest over classes; permutation p.
    by_class : mapping of str to (float, float)
        The same of each class's score.
    n_units, n_levels : int
        Patients (or cores) that took part, and different values among them.
    """

    leakage: float
    p: float
    by_class: Mapping[str, tuple[float, float]]
    n_units: int
    n_levels: int

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Self:
        """From what `corespot.audit.indicators.within_class.WithinClassLeakage.as_dict` gave."""
        return cls(
            float(plain["leakage"]),
            float(plain["p"]),
            {
                name: (float(one["leakage"]), float(one["p"]))
                for name, one in plain["by_class"].items()
            },
            int(plain["n_units"]),
            int(plain["n_levels"]),
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        by_class = {name: {"leakage": share, "p": p} for name, (share, p) in self.by_class.items()}
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {**plain, "by_class": by_class}


@dataclass(frozen=True)
class FoldAccuracies:
    """Balanced accuracies of one fold: the model, and classifiers that see no peaks.

    Parameters
    ----------
    model, off_peak, nuisance : float or NotApplicable
        Of the model, of a classifier on bins outside peaks, and of one on nuisance features.
    """

    model: Reading
    off_peak: Reading
    nuisance: Reading

    @classmethod
    def of(cls, controls: Mapping[str, Any], accuracy: float) -> Self:
        """From a fold's negative controls as plain values, and the model's own accuracy."""
        return cls(accuracy, *(reading_of(controls[n]) for n in ("off_peak", "nuisance")))


@dataclass(frozen=True)
class ControlCores:
    """How far control cores look like the class that is measured beside them.

    Parameters
    ----------
    share, p : float
        As a share of the model's own gap; permutation p, TMAs permuted.
    interval : (float, float) or None
        95 % interval over TMAs.
    by_class : mapping of str to float
        Share of every class against the rest.
    n_tmas, n_cores : int
        What took part.
    """

    share: float
    p: float
    interval: Interval | None
    by_class: Mapping[str, float]
    n_tmas: int
    n_cores: int

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Self:
        """From ``corespot.audit.indicators.control_cores_by_class.ClassDependence.as_dict``."""
        return cls(
            float(plain["share"]),
            float(plain["p"]),
            interval_of(plain["interval"]),
            {name: float(share) for name, share in plain["by_class"].items()},
            int(plain["n_tmas"]),
            int(plain["n_cores"]),
        )


@dataclass(frozen=True)
class WindowOverlap:
    """Windows that a model's sensitivity for the label shares with that for the TMA.

    Parameters
    ----------
    class_name : str
        The class that shares most.
    n_label, n_tma, n_shared : int
        Windows among the first of the class, of the TMA, and of both.
    expected, p : float
        How many chance alone would give; chance of as many or more.
    rank_correlation : float
        Spearman's, of the energies of all windows.
    """

    class_name: str
    n_label: int
    n_tma: int
    n_shared: int
    expected: float
    p: float
    rank_correlation: float

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Self:
        """From what `corespot.audit.indicators.shared_windows.SharedWindows.as_dict` gave."""
        return cls(
            str(plain["class"]),
            *(int(plain[name]) for name in ("n_label", "n_tma", "n_shared")),
            *(float(plain[name]) for name in ("expected", "p", "rank_correlation")),
        )


@dataclass(frozen=True)
class SecondCohort:
    """Balanced accuracy on a second cohort, whose design is broken.

    Parameters
    ----------
    here, there, lost : float
        On held-out spots of the own cohort, on the second one, and the difference.
    interval : (float, float) or None
        95 % interval of the loss over patients of both.
    v : float
        Association of label and TMA in the second cohort.
    n_patients, n_shared_patients : int
        Its patients, and those whose name is in both.
    """

    here: float
    there: float
    lost: float
    interval: Interval | None
    v: float
    n_patients: int
    n_shared_patients: int

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Self:
        """From what `corespot.audit.indicators.counterfactual.CounterfactualDrop.as_dict` gave."""
        return cls(
            float(plain["balanced_accuracy"]),
            float(plain["counterfactual_balanced_accuracy"]),
            float(plain["drop"]),
            interval_of(plain["interval"]),
            float(plain["v"]),
            int(plain["n_counterfactual_patients"]),
            int(plain["n_shared_patients"]),
        )


def reading_of(value: Any) -> Reading:
    """A number, or the reason that was written in its place."""
    if isinstance(value, Mapping):
        return NotApplicable(str(value["not_applicable"]))
    return float(value)


def interval_of(ends: Any) -> Interval | None:
    """Both ends of an interval, ``None`` where there is none."""
    if ends is None:
        return None
    low, high = ends
    return float(low), float(high)
