"""Spectra where the network is: resident on the device if they fit, else streamed to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt
import psutil
import torch
from torch import Tensor

from corespot.errors import ModelError
from corespot.models.spectra_rows import SpectraRows
from corespot.train.streaming import RowReader, held_dtype, stream

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
    spectra : Tensor of float32 or float16, shape (n_held, n_bins)
        On the device, unscaled, in the number type of their store.
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

    What is resident, streamed or held in half floats makes no difference to the numbers.

    Parameters
    ----------
    spectra : ndarray or SpectraRows, shape (n_spots, n_bins)
        Finite intensities, in memory or memory-mapped.
    device : torch.device
        Where the batches are wanted.
    scale : float
        Factor applied to every batch.
    resident : bool, optional
        Whether to hold everything on the device; by default if it fits half the free memory.
        Spectra stored as float16 are held so, and cast batch by batch.
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
        self._held: Tensor | None = None
        self._rows: Tensor | None = None
        self._reader: RowReader | None = None
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
        else:
            self._reader = RowReader(spectra, device)

    def __len__(self) -> int:
        return int(self.shape[0])

    @property
    def resident(self) -> bool:
        """Whether all spectra are on the device."""
        return self._held is not None

    def batch(self, rows: npt.NDArray[np.int64]) -> Tensor:
        """Scaled spectra of `rows`, (len(rows), n_bins) float32."""
        if self._reader is not None:
            return self._scaled(self._reader.read(rows).to(self.device))
        return self.batch_at(torch.from_numpy(rows).to(self.device, non_blocking=True))

    def batch_at(self, index: Tensor) -> Tensor:
        """`batch` of rows that are on the device themselves; for resident spectra."""
        assert self._held is not None, "only resident spectra are found by a tensor of rows"
        chosen = index if self._rows is None else self._rows[index]
        return self._scaled(self._held.index_select(0, chosen))

    def in_turn(self, batches: Iterable[npt.NDArray[np.int64]]) -> Iterator[Tensor]:
        """`batch` of each of `batches`; what is not resident is read ahead meanwhile."""
        if self._reader is None:
            yield from map(self.batch, batches)
        else:
            yield from map(self._scaled, stream(self._reader, batches, self.device))

    def batches(self, batch_size: int) -> Iterator[tuple[slice, Tensor]]:
        """All spectra in order, as (rows, scaled batch)."""
        parts = [
            slice(start, min(start + batch_size, len(self)))
            for start in range(0, len(self), batch_size)
        ]
        if self._held is None:
            rows = (np.arange(part.start, part.stop) for part in parts)
            yield from zip(parts, self.in_turn(rows), strict=True)
        elif self._rows is not None:
            for part in parts:
                yield part, self._scaled(self._held.index_select(0, self._rows[part]))
        else:
            for part in parts:
                yield part, self._held[part].float() * self.scale

    def _scaled(self, fresh: Tensor) -> Tensor:
        """Cast and scale a batch that nobody else looks at."""
        return fresh.float().mul_(self.scale)


def in_turn(examples: Examples, batches: Iterable[npt.NDArray[np.int64]]) -> Iterator[Tensor]:
    """The examples of each of `batches`; spectra that are not resident are read ahead."""
    if isinstance(examples, DeviceSpectra):
        return examples.in_turn(batches)
    return map(examples.batch, batches)


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


def take_rows(spectra: Spectra, rows: npt.NDArray[np.int64]) -> Spectra:
    """Some of the spectra; rows of a store stay unread."""
    if isinstance(spectra, SpectraRows):
        return cast("Spectra", spectra.take(rows))
    return spectra[rows]


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
    needed = spectra.size * held_dtype(spectra).itemsize
    if device.type == "cuda":
        return bool(needed <= _SHARE * torch.cuda.mem_get_info(device)[0])
    return _is_plain(spectra) or bool(needed <= _SHARE * psutil.virtual_memory().available)


def _is_plain(spectra: Spectra) -> bool:
    """Whether they are in memory already, as they would be held."""
    in_memory = isinstance(spectra, np.ndarray) and not isinstance(spectra, np.memmap)
    return in_memory and spectra.dtype in (np.float32, np.float16)


def _hold(spectra: Spectra, device: torch.device) -> Tensor:
    if device.type == "cpu" and _is_plain(spectra):
        flags = spectra.flags
        if flags.writeable and flags.c_contiguous:
            return torch.from_numpy(spectra)  # shares the memory; batches are copies
    reader = RowReader(spectra, device)
    held = torch.empty(spectra.shape, dtype=reader.dtype, device=device)
    step = max(1, _BLOCK_VALUES // spectra.shape[1])
    starts = range(0, len(spectra), step)
    rows = (np.arange(start, min(start + step, len(spectra))) for start in starts)
    for start, block in zip(starts, stream(reader, rows, device), strict=True):
        held[start : start + step].copy_(block, non_blocking=True)
    return held
