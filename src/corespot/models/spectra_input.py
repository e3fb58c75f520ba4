"""The door of every estimator: spectra and labels are checked before anything is fitted."""

from __future__ import annotations

from typing import cast

import numpy as np
import numpy.typing as npt

from corespot.errors import ModelError
from corespot.models.spectra_rows import SpectraRows

_BLOCK_VALUES = 16_000_000


def check_spectra(
    spectra: npt.ArrayLike | SpectraRows, n_features: int | None = None
) -> npt.NDArray[np.floating]:
    """Check that `spectra` is a finite matrix of the expected width; memory maps stay mapped.

    Parameters
    ----------
    spectra : array-like or SpectraRows, shape (n_spots, n_bins)
        Intensities.
    n_features : int, optional
        Number of bins the estimator was fitted on.

    Returns
    -------
    ndarray, shape (n_spots, n_bins)
        The same numbers, floating point; no copy if they are so already. Rows of a store stay
        rows of a store.

    Raises
    ------
    ModelError
        If it is no matrix, empty, not numeric, not finite, or of another width.
    """
    # Rows of a store answer to all that is asked of an array here and by those that get them.
    mapped = cast("npt.NDArray[np.floating]", spectra)
    x = mapped if isinstance(spectra, np.ndarray | SpectraRows) else np.asarray(spectra)
    if x.ndim != 2 or 0 in x.shape:
        raise ModelError(
            f"expected spectra of shape (n_spots, n_bins), got shape {x.shape}; a single spectrum "
            "is passed as spectrum[None, :]"
        )
    if x.dtype.kind in "iub":
        x = x.astype(np.float32)
    if x.dtype.kind != "f":
        raise ModelError(f"expected spectra of a floating-point type, got {x.dtype}")
    if n_features is not None and x.shape[1] != n_features:
        raise ModelError(
            f"the model was fitted on {n_features} bins, these spectra have {x.shape[1]}; "
            "preprocess them to the model's m/z axis"
        )
    step = max(1, _BLOCK_VALUES // x.shape[1])
    for start in range(0, len(x), step):
        # Half floats overflow while summing, so the sum trick is not used for them.
        finite = np.isfinite(x[start : start + step])
        if not finite.all():
            row, column = np.argwhere(~finite)[0]
            raise ModelError(
                f"spectrum {start + row}, bin {column} holds {x[start + row, column]}; remove or "
                "repair spectra that are not finite before fitting or predicting"
            )
    return x


def check_labels(
    y: npt.ArrayLike, n_spots: int
) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.int64]]:
    """Classes, sorted, and the class index of every spectrum.

    Raises
    ------
    ModelError
        If lengths differ or fewer than two classes are present.
    """
    labels = np.asarray(y)
    if labels.shape != (n_spots,):
        raise ModelError(f"expected one label a spectrum, {n_spots}, got shape {labels.shape}")
    if labels.dtype == object:
        labels = labels.astype(str)
    classes, index = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise ModelError(
            f"training needs two or more classes, all {n_spots} spectra are {classes.tolist()}"
        )
    return classes, index.astype(np.int64)


def check_groups(groups: npt.ArrayLike, n_spots: int) -> npt.NDArray[np.generic]:
    """Groups as one value a spectrum.

    Raises
    ------
    ModelError
        If lengths differ.
    """
    values = np.asarray(groups)
    if values.shape != (n_spots,):
        raise ModelError(f"expected one group a spectrum, {n_spots}, got shape {values.shape}")
    return values.astype(str) if values.dtype == object else values
