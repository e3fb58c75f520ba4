"""Shares of the class gap that parts of it carry, of one fold or as the median over folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from corespot.audit.applicable import NotApplicable
from corespot.audit.shares.gap_parts import ARTIFACT_PARTS
from corespot.errors import ModelError
from corespot.evaluate.intervals import percentile_interval

FloatArray = npt.NDArray[np.float64]

#: All parts that a measurement can cause, together.
ARTIFACT = "artifact"
#: The peak part on peaks that are no peptide's.
NON_PEPTIDE = "non_peptide"


@dataclass(frozen=True, eq=False)
class ClassShares:
    """Shares of the class gap as a model sees it, of one class against all others.

    Parameters
    ----------
    shares : mapping of str to float
        Share of each part of `PARTS` that the spectra support, of ``non_peptide`` (a portion of
        the peak part) and of ``artifact``: off-peak, gain, calibration and resolution together.
        They need not sum to one where a model is not linear, and can be negative.
    draws : mapping of str to ndarray of float64, shape (n_bootstrap,)
        The same with patients drawn anew.
    missing : mapping of str to NotApplicable
        Parts that cannot be told; ``artifact`` is then a lower bound and leaves them out.
    whole_effect : float
        By how much the whole difference moves the log-odds of the class; a median over folds.
    by_fold : mapping of str to tuple of float
        Shares of every fold; of one fold, that one.
    """

    shares: Mapping[str, float]
    draws: Mapping[str, FloatArray]
    missing: Mapping[str, NotApplicable]
    whole_effect: float
    by_fold: Mapping[str, tuple[float, ...]]

    def interval(self, part: str) -> list[float] | None:
        """95 % interval of a share over patients; ``None`` where it cannot be given."""
        draws = self.draws.get(part)
        return None if draws is None or draws.size == 0 else percentile_interval(draws)

    @property
    def is_complete(self) -> bool:
        """Whether all artifact parts could be told; else their share is a lower bound."""
        return not any(part in self.missing for part in ARTIFACT_PARTS)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; the draws are left out."""
        return {
            "shares": dict(self.shares),
            "intervals": {part: self.interval(part) for part in self.shares},
            "by_fold": {part: list(values) for part, values in self.by_fold.items()},
            "missing": {part: reason.as_dict() for part, reason in self.missing.items()},
            "artifact_is_complete": self.is_complete,
            "whole_effect": self.whole_effect,
        }


@dataclass(frozen=True)
class ArtifactShare:
    """Artifact share of every class, of one fold or as the median over folds.

    Parameters
    ----------
    by_class : mapping of str to ClassShares or NotApplicable
        Every class against all others.
    n_folds : int
        Folds that it was made from.
    notes : tuple of str
        Folds without a value, and why.
    """

    by_class: Mapping[str, ClassShares | NotApplicable]
    n_folds: int = 1
    notes: tuple[str, ...] = field(default=())

    def largest(self, part: str = ARTIFACT) -> tuple[str, float] | NotApplicable:
        """Class with the largest share of a part, and the share.

        Parameters
        ----------
        part : str
            A name of `PARTS`, ``artifact`` or ``non_peptide``.
        """
        found = {
            name: shares.shares[part]
            for name, shares in self.by_class.items()
            if isinstance(shares, ClassShares) and part in shares.shares
        }
        if found:
            name = max(found, key=lambda key: found[key])
            return name, found[name]
        for shares in self.by_class.values():
            if isinstance(shares, NotApplicable):
                return shares
            if part in shares.missing:
                return shares.missing[part]
        return NotApplicable(f"no share of {part!r} was computed")

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        summary: dict[str, Any] = {}
        for part in (ARTIFACT, NON_PEPTIDE):
            top = self.largest(part)
            summary[part] = (
                top.as_dict()
                if isinstance(top, NotApplicable)
                else {"class": top[0], "share": top[1]}
            )
        return {
            "largest": summary,
            "by_class": {name: shares.as_dict() for name, shares in self.by_class.items()},
            "n_folds": self.n_folds,
            "notes": list(self.notes),
        }


def combine_folds(folds: Sequence[ArtifactShare]) -> ArtifactShare:
    """Median over folds of every share, fold-wise values kept.

    The interval is that of the median when the patients of every fold are drawn anew. Folds to
    which the share does not apply are left out and named in the notes; where these are more than
    half, the class has none.

    Raises
    ------
    ModelError
        If there is no fold, or they are of different classes.
    """
    if not folds or any(list(fold.by_class) != list(folds[0].by_class) for fold in folds):
        raise ModelError("expected one or more folds of the same classes to combine")
    notes: list[str] = []
    by_class: dict[str, ClassShares | NotApplicable] = {}
    for name in folds[0].by_class:
        known: list[ClassShares] = []
        reason = ""
        for number, fold in enumerate(folds):
            shares = fold.by_class[name]
            if isinstance(shares, NotApplicable):
                reason = shares.reason
                notes.append(f"fold {number + 1}, class {name}: {reason}")
            else:
                known.append(shares)
        by_class[name] = (
            _median_of(known)
            if 2 * len(known) >= len(folds)
            else NotApplicable(f"in {len(folds) - len(known)} of {len(folds)} folds: {reason}")
        )
    return ArtifactShare(by_class, sum(fold.n_folds for fold in folds), tuple(notes))


def _median_of(known: Sequence[ClassShares]) -> ClassShares:
    names = [name for name in known[0].shares if all(name in each.shares for each in known)]
    draws = {
        name: np.median([each.draws[name] for each in known], axis=0)
        for name in names
        if all(name in each.draws for each in known)
        and len({each.draws[name].size for each in known}) == 1
    }
    return ClassShares(
        shares={name: float(np.median([each.shares[name] for each in known])) for name in names},
        draws=draws,
        missing={name: why for each in known for name, why in each.missing.items()},
        whole_effect=float(np.median([each.whole_effect for each in known])),
        by_fold={name: tuple(each.shares[name] for each in known) for name in names},
    )
