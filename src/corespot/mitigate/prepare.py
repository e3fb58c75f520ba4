"""One entry for all ways: a fold's spectra and an estimator, both made for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.axis import MzAxis
from corespot.cohort.splits import Fold
from corespot.cohort.tasks import TaskSpots
from corespot.errors import ParamsError
from corespot.mitigate.computed_rows import ComputedSpectra
from corespot.mitigate.mitigated import MitigatedClassifier
from corespot.mitigate.way import BatchShift, Spectra, Way, why_not_for
from corespot.models.spectra_rows import SpectraRows
from corespot.seeding import derive_seed
from corespot.train.crossvalidate import task_settings
from corespot.train.estimator import make_estimator

Rows = npt.NDArray[np.int64]


class SpectraSource(Protocol):
    """Spectra of a cohort by row; a store, or a view of one."""

    @property
    def axis(self) -> MzAxis:
        """The m/z axis."""
        ...

    @property
    def spots(self) -> pd.DataFrame:
        """One row a spectrum."""
        ...

    def take(self, rows: Rows) -> npt.NDArray[np.float32]:
        """Spectra of `rows`, (len(rows), n_bins)."""
        ...

    def rows(self, rows: Rows) -> SpectraRows:
        """`take`, read when they are asked for."""
        ...


@dataclass(frozen=True, eq=False)
class CorrectedView:
    """Spectra of a source, each TMA corrected.

    Parameters
    ----------
    source : SpectraSource
        Where the spectra are.
    shift : BatchShift
        A fitted correction that has met every TMA asked for.
    """

    source: SpectraSource
    shift: BatchShift

    @property
    def axis(self) -> MzAxis:
        """The m/z axis."""
        return self.source.axis

    @property
    def spots(self) -> pd.DataFrame:
        """One row a spectrum."""
        return self.source.spots

    def take(self, rows: Rows) -> npt.NDArray[np.float32]:
        """Corrected spectra of `rows`, (len(rows), n_bins)."""
        return self.shift.correct(self.source.take(rows), _tma(self.source, rows))

    def rows(self, rows: Rows) -> SpectraRows:
        """`take`, corrected as they are read."""
        return computed(self).rows(rows)

    def meeting(self, rows: Rows) -> CorrectedView:
        """The same, knowing the TMAs of these rows from their spots, too."""
        met = self.shift.met(_unread(self.source, rows), _tma(self.source, rows))
        return CorrectedView(self.source, met)


@dataclass(frozen=True, eq=False)
class PreparedFold:
    """What a fold is trained and tested with.

    Parameters
    ----------
    spectra : SpectraSource
        The cohort's spectra as this fold sees them: the store itself, or a corrected view.
    estimator : MitigatedClassifier
        Not fitted yet.
    shift : BatchShift or None
        The correction of TMAs, fitted on the training rows.
    """

    spectra: SpectraSource
    estimator: MitigatedClassifier
    shift: BatchShift | None

    def view_of(self, other: SpectraSource, rows: Rows) -> SpectraSource:
        """Another cohort as the fitted estimator must see it, such as a counterfactual one.

        Parameters
        ----------
        other : SpectraSource
            Its spectra.
        rows : ndarray of int64
            The spots from which its TMAs are known, without labels.
        """
        if self.shift is None:
            return other
        met = self.shift.elsewhere().met(_unread(other, rows), _tma(other, rows))
        return CorrectedView(other, met)


def prepare_fold(
    store: SpectraSource,
    task: TaskSpots,
    fold: Fold,
    *,
    model: str,
    settings: Mapping[str, Any],
    ways: Sequence[Way],
    seed: int,
    device: str = "auto",
) -> PreparedFold:
    """Make a fold's view of the spectra and its estimator.

    Parameters
    ----------
    store : SpectraSource
        Spectra of the cohort.
    task : TaskSpots
        The task; of it, classes are read but no label.
    fold : Fold
        Training and test rows. What is fitted here sees training rows; a TMA that is not among
        them is corrected from its own test spots, unlabelled, as it would be in use.
    model, settings, seed, device
        As in `corespot.train.crossvalidate.cross_validate`.
    ways : sequence of Way
        See `corespot.mitigate.requested.make_ways`.

    Raises
    ------
    ParamsError
        If a way is not for this model, or two correct TMAs.
    """
    for way in ways:
        reason = why_not_for(way.name, model)
        if reason is not None:
            raise ParamsError(reason.reason)
    fold_seed = derive_seed(seed, task.name, model, fold.repeat, fold.index) % 2**31
    inner = make_estimator(
        model, task_settings(model, settings, task), seed=fold_seed, device=device
    )
    shifts = [shift for shift in (way.batches() for way in ways) if shift is not None]
    if len(shifts) > 1:
        raise ParamsError("two ways correct whole TMAs; ask for one of them")
    estimator = MitigatedClassifier(inner, tuple(ways), store.axis, random_state=fold_seed)
    if not shifts:
        return PreparedFold(store, estimator, None)
    fitted = shifts[0].fit(_unread(store, fold.train_rows), _tma(store, fold.train_rows))
    met = fitted.met(_unread(store, fold.test_rows), _tma(store, fold.test_rows))
    return PreparedFold(CorrectedView(store, met), estimator, fitted)


def computed(source: SpectraSource) -> ComputedSpectra:
    """Spectra of a source in place of the array of a store."""
    return ComputedSpectra(source.take, (len(source.spots), source.axis.n_bins))


def _unread(source: SpectraSource, rows: Rows) -> Spectra:
    """Rows of a source; they answer to all that is asked of an array of spectra."""
    return cast("Spectra", source.rows(rows))


def _tma(source: SpectraSource, rows: Rows) -> npt.NDArray[np.str_]:
    return source.spots["tma"].iloc[rows].astype(str).to_numpy(dtype=str)
