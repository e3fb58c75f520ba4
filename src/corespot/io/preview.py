"""One spectrum through the recipe, to look at: as measured and as it would be stored."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from corespot.axis import MzAxis
from corespot.errors import RecipeError
from corespot.io.imzml import open_imzml
from corespot.io.preprocessed import make_plan
from corespot.preprocess.recipe import PreprocessSettings, apply_recipe


@dataclass(frozen=True)
class Preview:
    """One spectrum as measured and as it would be stored.

    Parameters
    ----------
    raw : (ndarray, ndarray)
        m/z and intensity as measured.
    processed : (MzAxis, ndarray)
        Common axis and preprocessed intensity.
    notes : tuple of str
        The plan in words.
    """

    raw: tuple[npt.NDArray[np.float64], npt.NDArray[Any]]
    processed: tuple[MzAxis, npt.NDArray[np.float32]]
    notes: tuple[str, ...]


def preview_spectrum(path: Path, index: int, settings: PreprocessSettings) -> Preview:
    """Preprocess one spectrum of one file, as if the file were the whole cohort.

    Raises
    ------
    RecipeError
        If the recipe cannot work on it, or there is no such spectrum.
    CohortError
        If the file cannot be read.
    """
    with open_imzml(path) as file:
        if not 0 <= index < len(file):
            raise RecipeError(
                f"{path.name} has no spectrum {index}; choose one from 0 to {len(file) - 1}"
            )
        plan = make_plan({path.name: file}, settings)
        mz, intensity = file.spectrum(index)
    axis = plan.choice.axis
    done = apply_recipe(plan.resolved.recipe, mz, intensity, axis)
    return Preview((mz, intensity), (axis, done), tuple(plan.notes()))
