"""What goes with a profile, checked to belong to it: folds, ranked windows, kinds of bins."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.axis import MzAxis
from corespot.errors import StoreError
from corespot.explain.peaks import WINDOW_COLUMNS
from corespot.explain.profile import Quantity, SensitivityProfile
from corespot.report.audit_profile_figures import bin_kinds
from corespot.report.audit_shown import AuditView

FloatArray = npt.NDArray[np.float64]


def class_means_of(
    means: npt.NDArray[np.floating] | None, profile: SensitivityProfile
) -> npt.NDArray[np.floating] | None:
    """Mean class spectra, ``None`` where there are none or they are not those of the profile."""
    wanted = (len(profile.classes), profile.axis.n_bins)
    return means if means is not None and means.shape == wanted else None


def fold_profiles(
    arrays: Mapping[str, npt.NDArray[np.generic]],
    profile: SensitivityProfile,
    class_index: int,
    of: Quantity,
) -> dict[str, FloatArray]:
    """The profile of every fold for one class.

    Parameters
    ----------
    arrays : mapping
        ``fold`` (n,), ``probability`` and ``logit`` (n, n_classes, n_bins), as stored.
    profile : SensitivityProfile
        Their mean.
    class_index : int
        The class.
    of : {"probability", "logit"}
        Which sensitivity.

    Raises
    ------
    StoreError
        If they are not those of `profile`.
    """
    if "fold" not in arrays or of not in arrays:
        raise StoreError("the profiles of the folds are incomplete; run `dvc repro` again")
    names, values = arrays["fold"], np.asarray(arrays[of])
    wanted = (len(names), len(profile.classes), profile.axis.n_bins)
    if values.shape != wanted:
        raise StoreError(
            f"the profiles of the folds have shape {values.shape}, expected {wanted}; "
            "run `dvc repro` again"
        )
    return {str(name): values[at, class_index].astype(np.float64) for at, name in enumerate(names)}


def windows_of(windows: pd.DataFrame, name: str) -> pd.DataFrame:
    """The ranked windows of one class.

    Raises
    ------
    StoreError
        If the table lacks a column.
    """
    missing = [column for column in WINDOW_COLUMNS if column not in windows]
    if missing:
        raise StoreError(f"the ranked windows have no column {missing[0]!r}; run `dvc repro` again")
    return windows[windows["class"].astype(str) == name].reset_index(drop=True)


def kinds_on(audit: AuditView, axis: MzAxis) -> Mapping[str, npt.NDArray[np.bool_]]:
    """Which bins of a profile lie on peaks, as the audit of the same run saw them.

    Raises
    ------
    StoreError
        If the audit was made on another m/z axis.
    """
    if audit.axis != axis:
        raise StoreError(
            "the audit was made on another m/z axis than this profile: peaks are not shown; "
            "run `dvc repro audit` again"
        )
    return bin_kinds(audit)
