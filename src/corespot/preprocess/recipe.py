"""The recipe: an ordered list of steps, checked against the data before anything is computed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict, Field, field_serializer, field_validator

from corespot.axis import MzAxis
from corespot.errors import ParamsError, RecipeError
from corespot.preprocess import (
    align,
    align_peptides,
    asls,
    baseline,
    normalize,
    peaks,
    smooth,
    transform,
)
from corespot.preprocess.axis_settings import AxisSettings
from corespot.preprocess.order import Skipped, fit_steps
from corespot.preprocess.peaks import ListedPeaks
from corespot.preprocess.resample import Resample
from corespot.preprocess.rows import each_row, rows_a_call
from corespot.preprocess.step import DataKind, Spectra, Step, parse_step
from corespot.settings import Settings

#: The modules whose import registers the steps; add a new step's module here.
STEP_MODULES = (align, align_peptides, asls, baseline, normalize, peaks, smooth, transform)

#: The paper's preprocessing (Behrmann et al., Bioinformatics 34(7), 2018, section 2.1).
DEFAULT: tuple[Mapping[str, Any], ...] = (
    {"step": "baseline", "method": "convolution", "width": 20},
    {"step": "normalize", "method": "tic"},
)


@dataclass(frozen=True)
class Recipe:
    """Ordered per-spectrum steps.

    Parameters
    ----------
    steps : tuple of Step
        The steps in the order in which they are applied.
    """

    steps: tuple[Step, ...]

    @classmethod
    def parse(cls, steps: object, where: str = "preprocess.recipe") -> Recipe:
        """Read a list of ``{step: …, method: …, …}``, naming every fault at once.

        Raises
        ------
        ParamsError
            If it is not a list, or a step, method or key is unknown, or a value is out of range.
        RecipeError
            If a step would have to be fitted on many spectra.
        """
        if not isinstance(steps, Iterable) or isinstance(steps, str | bytes | Mapping):
            raise ParamsError(f"{where}: expected a list of steps, got {steps!r}")
        parsed, faults = [], []
        for index, entry in enumerate(steps):
            try:
                parsed.append(parse_step(entry, f"{where}[{index}]"))
            except ParamsError as error:
                faults.append(str(error))
        if faults:
            raise ParamsError("\n".join(faults))
        return cls(tuple(parsed))

    @classmethod
    def default(cls) -> Recipe:
        """The paper's recipe: convolution baseline of width 20, then total ion count."""
        return cls.parse(DEFAULT)

    def as_list(self) -> list[dict[str, Any]]:
        """JSON-able list with every parameter spelt out; `parse` reads it back."""
        return [step.model_dump(mode="json") for step in self.steps]

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def listed_axis(self) -> MzAxis | None:
        """The axis of listed peaks the recipe ends on, if it does."""
        for step in self.steps:
            if isinstance(step, ListedPeaks):
                return step.axis
        return None

    def check(self, kind: DataKind, axis: MzAxis) -> None:
        """Refuse a recipe that cannot work on such data; see `resolve`.

        Raises
        ------
        RecipeError
            With every reason, and what to do about each.
        """
        self.resolve(kind, axis)

    def resolve(self, kind: DataKind, axis: MzAxis, target: MzAxis | None = None) -> ResolvedRecipe:
        """Fit the recipe to the data: what will be done, what is skipped and why.

        Parameters
        ----------
        kind : {"profile", "centroid"}
            What the raw spectra are.
        axis : MzAxis
            A raw axis, typical of the data.
        target : MzAxis, optional
            The store's axis; the raw one when left out.

        Returns
        -------
        ResolvedRecipe
            Its recipe names every step that is done, moving to the common axis included, and is
            what a served model needs.

        Raises
        ------
        RecipeError
            With every reason, and what to do about each.
        """
        steps = list(self.steps)
        if self.listed_axis is None and not any(isinstance(step, Resample) for step in steps):
            steps.insert(0, Resample())
        fitted = fit_steps(steps, kind, axis, target or axis)
        if fitted.faults:
            raise RecipeError(
                "the recipe cannot work on these data:\n"
                + "\n".join(f"- {fault}" for fault in fitted.faults)
            )
        return ResolvedRecipe(Recipe(fitted.kept), fitted.skipped, fitted.warnings)

    def apply(self, spectra: Spectra, axis: MzAxis, target: MzAxis) -> Spectra:
        """Apply every step to a block.

        Parameters
        ----------
        spectra : ndarray of float32, shape (n, n_bins)
            Raw intensities on one axis.
        axis : MzAxis
            That axis.
        target : MzAxis
            The store's axis.

        Returns
        -------
        ndarray of float32, shape (n, target.n_bins)
            Each row depends on its own spectrum only, to the last bit.

        Raises
        ------
        RecipeError
            If a spectrum is too short for a step, or the recipe does not end on `target`.
        """
        block = np.ascontiguousarray(spectra, dtype=np.float32)
        steps = self.steps
        if self.listed_axis is None and not any(isinstance(step, Resample) for step in steps):
            steps = (Resample(), *steps)
        for costly, together in groupby(steps, key=lambda step: step.costly_call):
            run = _one_by_one if costly else _side_by_side
            block, axis = run(tuple(together), block, axis, target)
        if axis != target:
            raise RecipeError(
                f"the recipe ends on {axis.n_bins} bins {axis.mz[0]:g}–{axis.mz[-1]:g}, but "
                f"{target.n_bins} bins {target.mz[0]:g}–{target.mz[-1]:g} are wanted"
            )
        return block


def _one_by_one(
    steps: Sequence[Step], block: Spectra, axis: MzAxis, target: MzAxis
) -> tuple[Spectra, MzAxis]:
    for step in steps:
        if axis.n_bins < step.minimum_bins():
            raise RecipeError(
                f"{step.title} needs spectra of at least {step.minimum_bins()} points, this "
                f"one has {axis.n_bins}; put a resample step before it"
            )
        block, axis = step.apply(block, axis, target)
    return block, axis


def _side_by_side(
    steps: Sequence[Step], block: Spectra, axis: MzAxis, target: MzAxis
) -> tuple[Spectra, MzAxis]:
    """Several steps, a few rows at a time on every core: what a step leaves is still in its cache.

    Threads share the work here, so that the steps themselves stay on theirs.
    """
    if len(block) <= rows_a_call(len(block), axis.n_bins):
        return _one_by_one(steps, block, axis, target)
    # No rows through the same steps tell what comes out.
    nothing, end = _one_by_one(steps, block[:0], axis, target)
    whole = np.empty((len(block), nothing.shape[1]), nothing.dtype)

    def work(rows: slice) -> None:
        whole[rows] = _one_by_one(steps, block[rows], axis, target)[0]

    each_row(work, block)
    return whole, end


@dataclass(frozen=True)
class ResolvedRecipe:
    """A recipe fitted to the data at hand.

    Parameters
    ----------
    recipe : Recipe
        What is done.
    skipped : tuple of Skipped
        What is not, and why.
    warnings : tuple of str
        What is done but unusual.
    """

    recipe: Recipe
    skipped: tuple[Skipped, ...]
    warnings: tuple[str, ...]


def apply_recipe(
    recipe: Recipe | Sequence[Mapping[str, Any]],
    mz: npt.NDArray[np.floating[Any]],
    intensity: npt.NDArray[np.number[Any]],
    target_axis: MzAxis,
) -> npt.NDArray[np.float32]:
    """Preprocess one raw spectrum on its own axis; bit-equal to the same spectrum in a block.

    Parameters
    ----------
    recipe : Recipe or list of mappings
        The resolved recipe, as ``store.json`` records it.
    mz : ndarray, shape (n,)
        Increasing m/z of the spectrum; may be empty.
    intensity : ndarray, shape (n,)
        Its intensities.
    target_axis : MzAxis
        Axis of the store.

    Returns
    -------
    ndarray of float32, shape (target_axis.n_bins,)
        Preprocessed intensities; zero for a spectrum without points or intensities.

    Raises
    ------
    RecipeError
        If the spectrum is not two equally long increasing vectors, or the recipe does not fit it.
    """
    parsed = recipe if isinstance(recipe, Recipe) else Recipe.parse(recipe)
    own_mz: npt.NDArray[np.float64] = np.asarray(mz, dtype=np.float64)
    if own_mz.ndim != 1 or own_mz.shape != np.shape(intensity):
        raise RecipeError(
            f"a spectrum is m/z and intensities of equal length, got shapes {own_mz.shape} and "
            f"{np.shape(intensity)}"
        )
    if own_mz.size == 0:
        return np.zeros(target_axis.n_bins, dtype=np.float32)
    # Keep the store's own axis object where it is the same: nothing is built or compared twice.
    same = np.array_equal(own_mz, target_axis.mz)
    try:
        axis = target_axis if same else MzAxis(own_mz)
    except ValueError as error:
        raise RecipeError(f"the spectrum cannot be preprocessed: {error}") from None
    block = np.asarray(intensity, dtype=np.float32)[None, :]
    row: npt.NDArray[np.float32] = parsed.apply(block, axis, target_axis)[0]
    return row


class PreprocessSettings(Settings):
    """How raw spectra become the rows of a store.

    Parameters
    ----------
    axis : AxisSettings
        Common m/z axis.
    dtype : {"float32", "float16"}
        Number type of the store.
    data_kind : {"auto", "profile", "centroid"}
        What the raw spectra are; ``auto`` asks the files, then the data.
    recipe : Recipe
        Ordered steps; written as a list in ``params.yaml``.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", protected_namespaces=(), arbitrary_types_allowed=True
    )

    axis: AxisSettings = Field(default_factory=AxisSettings)
    dtype: Literal["float32", "float16"] = "float32"
    data_kind: Literal["auto", "profile", "centroid"] = "auto"
    recipe: Recipe = Field(default_factory=Recipe.default)

    @field_validator("recipe", mode="before")
    @classmethod
    def _parse_recipe(cls, value: Any) -> Recipe:
        # ParamsError and RecipeError pass through pydantic as they are, suggestions included.
        return value if isinstance(value, Recipe) else Recipe.parse(value)

    @field_serializer("recipe")
    def _list_recipe(self, recipe: Recipe) -> list[dict[str, Any]]:
        return recipe.as_list()
