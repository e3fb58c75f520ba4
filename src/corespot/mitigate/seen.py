"""A store as the models of ways that correct whole TMAs must be shown it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy.typing as npt

from corespot.io.store import SpectraStore
from corespot.mitigate.crossvalidate import MitigatedFoldResult
from corespot.mitigate.prepare import CorrectedView, Rows, SpectraSource, computed


def as_seen(result: MitigatedFoldResult, store: SpectraStore, rows: Rows) -> SpectraStore:
    """Give a store as the model of a fold sees it; the store itself where no TMA is corrected.

    Parameters
    ----------
    result : MitigatedFoldResult
        The fold.
    store : SpectraStore
        The cohort's own, or that of another one.
    rows : ndarray of int64
        What will be read. TMAs that the fold has not met are known from these, without labels.
    """
    prepared = result.prepared
    if prepared is None or prepared.shift is None:
        return store
    own = prepared.spectra
    view: SpectraSource
    if isinstance(own, CorrectedView) and own.source is store:
        # Control cores may lie on TMAs that hold no spot of the task.
        view = own.meeting(rows)
    else:
        view = prepared.view_of(store, rows)
    return replace(store, spectra=cast(npt.NDArray[Any], computed(view)))
