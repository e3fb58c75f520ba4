"""What a fit is told, and how it is split and computed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from corespot.cohort.positions import SpotPositions
from corespot.cohort.splits import inner_folds
from corespot.errors import ModelError
from corespot.models.spectra_input import check_groups
from corespot.seeding import derive_seed
from corespot.train.data import Held, Spectra
from corespot.train.loop import TrainSettings
from corespot.train.objective import Penalty

Rows = npt.NDArray[np.int64]

#: Values that are hashed at a time.
_BLOCK_VALUES = 16_000_000


@dataclass(frozen=True, eq=False)
class Watched:
    """Held-out spots whose balanced accuracy is noted after every epoch.

    Parameters
    ----------
    X : ndarray, shape (n_spots, n_bins)
        Their spectra.
    y : ndarray, shape (n_spots,)
        Their labels.
    positions : SpotPositions, optional
        Where they lie.
    held : Held, optional
        Their spectra where they are on the device already.
    """

    X: Spectra
    y: npt.NDArray[Any]
    positions: SpotPositions | None = None
    held: Held | None = None


@dataclass(frozen=True, eq=False)
class Told:
    """The checked arguments of a fit.

    Parameters
    ----------
    x : ndarray, shape (n_spots, n_bins)
        Spectra.
    y : ndarray of int64, shape (n_spots,)
        Class indices.
    groups : ndarray, shape (n_spots,), optional
        What an inner split must not split.
    positions : SpotPositions, optional
        Where the spots lie.
    held : Held, optional
        The spectra where they are on the device already.
    penalty : Penalty, optional
        What is added to the loss of every step.
    """

    x: Spectra
    y: Rows
    groups: npt.ArrayLike | None
    positions: SpotPositions | None
    held: Held | None = None
    penalty: Penalty | None = None

    @property
    def fingerprint(self) -> str:
        """SHA-256 of spectra, class indices, positions and penalty."""
        digest = hashlib.sha256(str((self.x.shape, self.x.dtype)).encode())
        step = max(1, _BLOCK_VALUES // self.x.shape[1])
        for start in range(0, len(self.x), step):
            digest.update(np.ascontiguousarray(self.x[start : start + step]).tobytes())
        digest.update(self.y.tobytes())
        if self.positions is not None:
            digest.update(self.positions.fingerprint.encode())
        if self.penalty is not None:
            digest.update(self.penalty.fingerprint.encode())
        return digest.hexdigest()


def split_validation(
    y: Rows, groups: npt.ArrayLike | None, settings: TrainSettings, seed: int
) -> tuple[Rows, Rows]:
    """Spots to learn from, and spots of other groups to stop on (none without early stopping).

    Raises
    ------
    ModelError
        If early stopping has no groups.
    """
    everything = np.arange(len(y), dtype=np.int64)
    if not settings.early_stopping:
        return everything, everything[:0]
    if groups is None:
        raise ModelError(
            "early_stopping validates on groups that training does not see: pass "
            "fit(X, y, groups=tma), or set early_stopping to false"
        )
    folds = inner_folds(
        check_groups(groups, len(y)), y, settings.validation_folds, derive_seed(seed, "validation")
    )
    return folds[0]


def use_bf16(precision: str, device: torch.device, model: type[nn.Module]) -> bool:
    """Whether to multiply in bfloat16: as asked, or where it pays and the hardware has it."""
    if precision != "auto":
        return precision == "bf16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    pays = bool(getattr(model, "bf16_pays_on_cpu", False))
    # Measured: 149 against 76 spectra/s for residualnet with AMX, 6,400 bins, two cores.
    has_amx = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return pays and has_amx is not None and bool(has_amx())
