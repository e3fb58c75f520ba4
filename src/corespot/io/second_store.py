"""Preprocesses a second cohort exactly as the first one was: same steps, same axis."""

from __future__ import annotations

from pathlib import Path

import numpy as np

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
    files = spots["file"].astype(str).to_numpy()
    indices = spots["spectrum"].to_numpy(dtype=np.int64)
    recipe = Recipe.parse(like.meta["recipe"])
    meta = {"recipe": like.meta["recipe"], "cohort": str(folder), "axis_of": str(like.path)}
    with create_store(
        out, spots=spots, axis=like.axis, meta=meta, dtype=like.meta["dtype"], scale=like.scale
    ) as store:
        for name in track(list(dict.fromkeys(files)), label="second cohort", unit="files"):
            mine = np.flatnonzero(files == name)
            with open_imzml(folder / name) as file:
                _refuse_narrower(name, file.mz_range(), like)
                for start in range(0, len(mine), _BLOCK):
                    rows = mine[start : start + _BLOCK]
                    block = np.zeros((len(rows), like.axis.n_bins), dtype=np.float32)
                    for at, row in enumerate(rows):
                        mz, intensity = file.spectrum(int(indices[row]))
                        try:
                            block[at] = apply_recipe(recipe, mz, intensity, like.axis)
                        except RecipeError as error:
                            raise RecipeError(f"{name}, spectrum {indices[row]}: {error}") from None
                    store.write(slice(int(rows[0]), int(rows[-1]) + 1), block)
    return SpectraStore.open(out)


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
