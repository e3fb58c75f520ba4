"""Spectra where the network is: resident on the device if they fit, else read batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import psutil
import torch
from torch import Tensor

from corespot.errors import ModelError

Spectra = npt.NDArray[np.floating]

#: Share of the free memory that spectra may take.
_SHARE = 0.5
_BLOCK_VALUES = 16_000_000


class Examples(Protocol):
    """What a network is trained on: spectra, patches or cores, in batches on a device."""

    @property
    def device(self) -> torch.device:
        """Where the batches are."""
        ...

    def __len__(self) -> int:
        """Number of examples."""
        ...

    def batch(self, rows: npt.NDArray[np.int64]) -> Tensor:
        """The examples `rows`, first dimension ``len(rows)``."""
        ...


@dataclass(frozen=True, eq=False)
class Held:
    """Spectra that are on a device already, and which of them are meant.

    Fits and predictions that share their spectra, as the trials of a study do, need not bring them
    to the device each time.

    Parameters
    ----------
    spectra : Tensor, shape (n_held, n_bins)
        On the device, unscaled.
    rows : Tensor of int64, shape (n_spots,)
        Rows meant, on the same device.
    """

    spectra: Tensor
    rows: Tensor

    def take(self, rows: npt.NDArray[np.int64]) -> Held:
        """Some of the spots meant."""
        return Held(self.spectra, self.rows[torch.from_numpy(rows).to(self.rows.device)])


def hold_on(spectra: Spectra, device: torch.device) -> Held | None:
    """Bring spectra to a device for good; ``None`` if they do not fit half of its free memory."""
    if not _fits(spectra, device):
        return None
    return Held(_hold(spectra, device), torch.arange(len(spectra), device=device))


class DeviceSpectra:
    """Spectra of one data set, multiplied by a factor and served as float32 batches on a device.

    Parameters
    ----------
    spectra : ndarray, shape (n_spots, n_bins)
        Finite intensities, in memory or memory-mapped.
    device : torch.device
        Where the batches are wanted.
    scale : float
        Factor applied to every batch.
    resident : bool, optional
        Whether to hold everything on the device; by default if it fits half the free memory.
    held : Held, optional
        The same spectra where they are on the device already.
    """

    def __init__(
        self,
        spectra: Spectra,
        device: torch.device,
        *,
        scale: float = 1.0,
        resident: bool | None = None,
        held: Held | None = None,
    ) -> None:
        self.device, self.scale = device, scale
        self.shape = spectra.shape
        self._source = spectra
        self._held: Tensor | None = None
        self._rows: Tensor | None = None
        if held is not None:
            where = held.spectra.device
            # "cuda" is the device that is current, which its tensors call "cuda:0".
            same = where.type == device.type and device.index in (None, where.index)
            if len(held.rows) != len(spectra) or not same:
                raise ModelError(
                    f"{len(held.rows)} spectra are held on {where}, expected "
                    f"{len(spectra)} on {device}"
                )
            self._held, self._rows = held.spectra, held.rows
        elif resident if resident is not None else _fits(spectra, device):
            self._held = _hold(spectra, device)

    def __len__(self) -> int:
        return int(self.shape[0])

    @property
    def resident(self) -> bool:
        """Whether all spectra are on the device."""
        return self._held is not None

    def batch(self, rows: npt.NDArray[np.int64]) -> Tensor:
        """Scaled spectra of `rows`, (len(rows), n_bins) float32."""
        if self._held is not None:
            index = torch.from_numpy(rows).to(self.device, non_blocking=True)
            if self._rows is not None:
                index = self._rows[index]
            return self._held.index_select(0, index).mul_(self.scale)
        # Reading in file order keeps a memory map from seeking back and forth.
        order = np.argsort(rows, kind="stable")
        block = np.empty((len(rows), self.shape[1]), dtype=np.float32)
        block[order] = self._source[rows[order]]
        return torch.from_numpy(block).to(self.device).mul_(self.scale)

    def batches(self, batch_size: int) -> Iterator[tuple[slice, Tensor]]:
        """All spectra in order, as (rows, scaled batch)."""
        for start in range(0, len(self), batch_size):
            rows = slice(start, min(start + batch_size, len(self)))
            if self._held is not None and self._rows is not None:
                yield rows, self._held.index_select(0, self._rows[rows]).mul_(self.scale)
            elif self._held is not None:
                yield rows, self._held[rows] * self.scale
            else:
                block = np.array(self._source[rows], dtype=np.float32)
                yield rows, torch.from_numpy(block).to(self.device).mul_(self.scale)


def choose_device(name: str | None) -> torch.device:
    """Device by name; ``"auto"`` or None is the GPU if there is one.

    Raises
    ------
    ModelError
        If the device is unknown or absent.
    """
    if name in (None, "auto"):
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(str(name))
    except RuntimeError:
        raise ModelError(f"unknown device {name!r}; expected auto, cpu, cuda or cuda:0") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ModelError(
            f"device {name!r} was asked for, but PyTorch finds no GPU; use device: auto or cpu"
        )
    return device


def root_mean_square(spectra: Spectra) -> float:
    """Root mean square intensity, summed in float64 block by block.

    Raises
    ------
    ModelError
        If every intensity is zero.
    """
    step = max(1, _BLOCK_VALUES // spectra.shape[1])
    total = sum(
        float(np.sum(np.square(spectra[start : start + step], dtype=np.float64)))
        for start in range(0, len(spectra), step)
    )
    if total == 0.0:
        raise ModelError("every intensity of the training spectra is zero; check preprocessing")
    return float(np.sqrt(total / spectra.size))


def _fits(spectra: Spectra, device: torch.device) -> bool:
    needed = spectra.size * 4
    if device.type == "cuda":
        return bool(needed <= _SHARE * torch.cuda.mem_get_info(device)[0])
    shared_already = spectra.dtype == np.float32 and not isinstance(spectra, np.memmap)
    return shared_already or bool(needed <= _SHARE * psutil.virtual_memory().available)


def _hold(spectra: Spectra, device: torch.device) -> Tensor:
    plain = spectra.dtype == np.float32 and not isinstance(spectra, np.memmap)
    if device.type == "cpu" and plain and spectra.flags.writeable and spectra.flags.c_contiguous:
        return torch.from_numpy(spectra)  # shares the memory; batches are copies
    held = torch.empty(spectra.shape, dtype=torch.float32, device=device)
    step = max(1, _BLOCK_VALUES // spectra.shape[1])
    for start in range(0, len(spectra), step):
        held[start : start + step].copy_(torch.from_numpy(np.array(spectra[start : start + step])))
    return held
