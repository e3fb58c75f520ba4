"""Streams a cohort folder through the recipe into a spectra store, block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.axis import MzAxis
from corespot.cohort.tables import Cohort
from corespot.errors import RecipeError
from corespot.io.ahead import read_ahead, write_behind
from corespot.io.imzml import ImzMLFile, open_imzml
from corespot.io.imzml_block import RawSpectrum
from corespot.io.preprocessed_quality import QualityTally
from corespot.io.store import create_store
from corespot.preprocess.common_axis import AxisChoice, RawAxis, choose_axis
from corespot.preprocess.data_kind import KindDecision, decide_kind
from corespot.preprocess.quality import QcTables
from corespot.preprocess.recipe import PreprocessSettings, Recipe, ResolvedRecipe, apply_recipe
from corespot.progress import track
from corespot.threads import n_threads, over_rows

#: Size of the largest array of one block in float64; steps hold a few of these at a time.
BLOCK_BYTES = 16 * 2**20
#: Spectra of each file that are looked at to tell profile from peak-picked data.
N_LOOKED_AT = 5


@dataclass(frozen=True)
class Plan:
    """What will be done to a cohort, decided before anything is computed.

    Parameters
    ----------
    kind : KindDecision
        Profile or centroid, and why.
    choice : AxisChoice
        The store's axis, and why.
    resolved : ResolvedRecipe
        Steps, what is skipped and why, warnings.
    """

    kind: KindDecision
    choice: AxisChoice
    resolved: ResolvedRecipe

    def notes(self) -> list[str]:
        """The plan in words, one line a decision."""
        done = ", ".join(step.title for step in self.resolved.recipe.steps) or "nothing"
        lines = [
            f"{self.kind.kind} data: {self.kind.explanation}",
            f"axis: {self.choice.explanation}",
            f"recipe: {done}",
        ]
        lines += [f"skipped {s.step} ({s.method}): {s.reason}" for s in self.resolved.skipped]
        return lines + [f"warning: {text}" for text in self.resolved.warnings]


def preprocess_cohort(
    folder: Path | str,
    out: Path | str,
    *,
    cohort: Cohort,
    settings: PreprocessSettings,
    progress: Callable[[str], None] | None = print,
) -> QcTables:
    """Write the spectra store of a cohort; row i is row i of its spot table.

    Memory is bounded by blocks of 16 MiB, whatever the cohort's size; while one is worked on, the
    next is read and the one before is written.

    Parameters
    ----------
    folder : Path
        The cohort folder.
    out : Path
        Folder of the store; replaced when the new one is complete.
    cohort : Cohort
        The loaded cohort.
    settings : PreprocessSettings
        Axis, number type, recipe.
    progress : callable, optional
        Told each decision in words (kind of data, axis, steps, what is skipped and why); None
        for silence.

    Returns
    -------
    QcTables
        Quality per TMA and spot, and mean spectra; descriptive, never used by a later stage.

    Raises
    ------
    RecipeError
        If the recipe or the axis cannot work on these data.
    CohortError
        If a spectrum cannot be read.
    StoreError
        If the intensities do not fit the store's number type.
    """
    spots = cohort.spots.reset_index(drop=True)
    with ExitStack() as stack:
        files = {
            str(name): stack.enter_context(open_imzml(Path(folder) / str(name)))
            for name in dict.fromkeys(spots["file"])
        }
        plan = make_plan(files, settings)
        tell = progress or (lambda _: None)
        for line in plan.notes():
            tell(line)
        axis, recipe = plan.choice.axis, plan.resolved.recipe
        tally = QualityTally(spots["tma"].astype(str).to_numpy(), axis, plan.kind.kind, recipe)
        # Filled while the rows are written; create_store reads it when the store is complete.
        meta = _meta(settings, plan, tuple(files))
        with create_store(out, spots=spots, axis=axis, meta=meta, dtype=settings.dtype) as store:
            blocks = _blocks(spots, files, axis.n_bins)
            spectra = spots["spectrum"].to_numpy(dtype=np.int64)

            def read(rows: slice) -> _Raw:
                return _read(files[str(spots["file"].iat[rows.start])], spectra[rows])

            tracked = track(
                blocks,
                label="preprocess",
                total=len(spots),
                unit="spectra",
                scale=lambda rows: rows.stop - rows.start,
            )
            with write_behind(store.write) as write:
                for rows, raw in read_ahead(read, tracked):
                    write(rows, _preprocessed(raw, rows, recipe, axis, tally))
            meta["n_empty"] = int(tally.empty.sum())
        if meta["n_empty"]:
            tell(f"{meta['n_empty']} of {len(spots)} spots are empty and stay zero")
        return tally.tables()


def make_plan(files: dict[str, ImzMLFile], settings: PreprocessSettings) -> Plan:
    """Decide kind, axis and steps, or refuse.

    Raises
    ------
    RecipeError
        If the recipe or the axis cannot work on these data.
    """
    looks = {name: _some_spectra(file) for name, file in files.items()}
    kind = decide_kind(
        [file.is_profile for file in files.values()],
        [spectrum for look in looks.values() for spectrum in look],
        wanted=settings.data_kind,
    )
    listed = settings.recipe.listed_axis
    if listed is not None and settings.axis.model_fields_set - {"kind"}:
        raise RecipeError(
            "preprocess.axis has settings, but the recipe reduces every spectrum to listed m/z; "
            "remove one of the two"
        )
    raw = [_raw_axis(name, file, looks[name]) for name, file in files.items()]
    if listed is not None:
        choice = AxisChoice(listed, f"the {listed.n_bins} m/z listed in the recipe")
    else:
        choice = choose_axis(raw, settings.axis, kind.kind)
    typical = MzAxis(max((axis.example for axis in raw), key=len))
    return Plan(kind, choice, settings.recipe.resolve(kind.kind, typical, choice.axis))


def _some_spectra(file: ImzMLFile) -> list[tuple[npt.NDArray[np.float64], npt.NDArray[Any]]]:
    """A few spectra with points, spread over the file."""
    with_points = np.flatnonzero(file.n_points > 0)
    if with_points.size == 0:
        raise RecipeError(f"{file.path.name}: all spectra are without points; leave the file out")
    spread = np.unique(np.linspace(0, with_points.size - 1, N_LOOKED_AT).astype(np.int64))
    return [file.spectrum(int(i)) for i in with_points[spread]]


def _raw_axis(
    name: str,
    file: ImzMLFile,
    look: list[tuple[npt.NDArray[np.float64], npt.NDArray[Any]]],
) -> RawAxis:
    low, high = file.mz_range()
    shared = file.mz if file.mode == "continuous" else None
    return RawAxis(name, shared, low, high, max((mz for mz, _ in look), key=len))


def _blocks(spots: pd.DataFrame, files: dict[str, ImzMLFile], n_bins: int) -> Iterator[slice]:
    """Slices of consecutive rows of one file, each small enough."""
    names = spots["file"].astype(str).to_numpy()
    starts = np.flatnonzero(np.concatenate([[True], names[1:] != names[:-1]]))
    for start, stop in zip(starts, [*starts[1:], len(names)], strict=True):
        file = files[names[start]]
        widest = max(int(file.n_points.max(initial=1)), n_bins)
        n_rows = max(1, BLOCK_BYTES // (8 * widest))
        for first in range(int(start), int(stop), n_rows):
            yield slice(first, min(first + n_rows, int(stop)))


@dataclass(frozen=True)
class _Raw:
    """A block as it was read: intensities on the file's axis, or spectra with m/z of their own."""

    file: ImzMLFile
    indices: npt.NDArray[np.int64]
    block: npt.NDArray[np.float32] | None
    spectra: Sequence[RawSpectrum]


def _read(file: ImzMLFile, indices: npt.NDArray[np.int64]) -> _Raw:
    if file.mode == "continuous":
        return _Raw(file, indices, file.intensity_block(indices), [])
    return _Raw(file, indices, None, file.spectra(indices))


def _preprocessed(
    raw: _Raw, rows: slice, recipe: Recipe, axis: MzAxis, tally: QualityTally
) -> npt.NDArray[np.float32]:
    """The block through the recipe, counted in the tally."""
    if raw.block is not None:
        done = recipe.apply(raw.block, tally.raw_axis(raw.file.mz), axis)
        tally.add_block(rows, raw.block, raw.file.mz, done)
        return done
    done = np.zeros((len(raw.spectra), axis.n_bins), dtype=np.float32)

    def work(part: slice) -> None:
        for i in range(part.start, part.stop):
            try:
                done[i] = apply_recipe(recipe, *raw.spectra[i], axis)
            except RecipeError as error:
                where = f"{raw.file.path.name}, spectrum {raw.indices[i]}"
                raise RecipeError(f"{where}: {error}") from None

    over_rows(work, len(done), chunk=-(-len(done) // n_threads()))
    tally.add_spectra(rows, raw.spectra, done)
    return done


def _meta(settings: PreprocessSettings, plan: Plan, files: tuple[str, ...]) -> dict[str, Any]:
    return {
        "recipe": plan.resolved.recipe.as_list(),
        "recipe_asked": settings.recipe.as_list(),
        "skipped": [skipped.as_dict() for skipped in plan.resolved.skipped],
        "warnings": list(plan.resolved.warnings),
        "data_kind": plan.kind.kind,
        "data_kind_explanation": plan.kind.explanation,
        "axis_explanation": plan.choice.explanation,
        "files": list(files),
        "n_empty": 0,
    }
