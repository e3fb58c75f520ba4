"""Preprocesses a second cohort exactly as the first one was: same steps, same axis."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import numpy.typing as npt

from corespot.cohort.tables import Cohort
from corespot.errors import RecipeError, StoreError
from corespot.io.imzml import open_imzml
from corespot.io.store import SpectraStore, create_store
from corespot.preprocess.recipe import Recipe, apply_recipe
from corespot.progress import track

#: Spectra written at a time.
_BLOCK = 256


def preprocess_second(
    folder: Path, out: Path, *, cohort: Cohort, like: SpectraStore
) -> SpectraStore:
    """Write the store of another cohort on the axis, and with the steps, of an existing store.

    Parameters
    ----------
    folder : Path
        The other cohort's folder.
    out : Path
        Folder of its store; replaced when the new one is complete.
    cohort : Cohort
        The other cohort, loaded.
    like : SpectraStore
        The store it is made to be like.

    Raises
    ------
    CohortError
        If a spectrum cannot be read.
    RecipeError
        If the steps do not fit a spectrum.
    StoreError
        If the other cohort does not reach over the axis.
    """
    spots = cohort.spots.reset_index(drop=True)
    files = spots["file"].astype(str).to_numpy(dtype=str)
    indices = spots["spectrum"].to_numpy(dtype=np.int64)
    recipe = Recipe.parse(like.meta["recipe"])
    meta = {"recipe": like.meta["recipe"], "cohort": str(folder), "axis_of": str(like.path)}
    with (
        ExitStack() as stack,
        create_store(
            out, spots=spots, axis=like.axis, meta=meta, dtype=like.meta["dtype"], scale=like.scale
        ) as store,
    ):
        opened = {
            str(name): stack.enter_context(open_imzml(folder / str(name)))
            for name in dict.fromkeys(files)
        }
        for name, file in opened.items():
            _refuse_narrower(name, file.mz_range(), like)
        for rows in track(
            _blocks(files),
            label="second cohort",
            total=len(spots),
            unit="spectra",
            scale=lambda rows: rows.stop - rows.start,
        ):
            name = str(files[rows.start])
            block = np.zeros((rows.stop - rows.start, like.axis.n_bins), dtype=np.float32)
            for at, index in enumerate(indices[rows]):
                mz, intensity = opened[name].spectrum(int(index))
                try:
                    block[at] = apply_recipe(recipe, mz, intensity, like.axis)
                except RecipeError as error:
                    raise RecipeError(f"{name}, spectrum {index}: {error}") from None
            store.write(rows, block)
    return SpectraStore.open(out)


def _blocks(files: npt.NDArray[np.str_]) -> Iterator[slice]:
    """Slices of consecutive rows of one file: a table may name files in turn."""
    starts = np.flatnonzero(np.concatenate([[True], files[1:] != files[:-1]]))
    for start, stop in zip(starts, [*starts[1:], len(files)], strict=True):
        for first in range(int(start), int(stop), _BLOCK):
            yield slice(first, min(first + _BLOCK, int(stop)))


def _refuse_narrower(name: str, reach: tuple[float, float], like: SpectraStore) -> None:
    """A model cannot be judged where it sees zeros instead of a measurement."""
    low, high = float(like.axis.mz[0]), float(like.axis.mz[-1])
    overlap = min(reach[1], high) - max(reach[0], low)
    if overlap < 0.9 * (high - low):
        raise StoreError(
            f"{name} of the second cohort reaches from m/z {reach[0]:.1f} to {reach[1]:.1f}, the "
            f"models' axis from {low:.1f} to {high:.1f}: measure both over the same range, or "
            "choose a narrower preprocess.axis"
        )
