"""Which steps work on the data at hand, which may follow which, and why not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from corespot.axis import MzAxis
from corespot.preprocess.peaks import ListedPeaks
from corespot.preprocess.resample import Resample
from corespot.preprocess.step import DataKind, Step


@dataclass(frozen=True)
class Skipped:
    """A step of the recipe that was left out, and why."""

    step: str
    method: str
    reason: str

    def as_dict(self) -> dict[str, str]:
        """Plain mapping for ``store.json``."""
        return asdict(self)


@dataclass(frozen=True)
class FittedSteps:
    """Steps sorted out: those to do, those to skip, and what is wrong or unusual."""

    kept: tuple[Step, ...]
    skipped: tuple[Skipped, ...]
    faults: tuple[str, ...]
    warnings: tuple[str, ...]


def fit_steps(steps: Iterable[Step], kind: DataKind, axis: MzAxis, target: MzAxis) -> FittedSteps:
    """Sort out the steps of a recipe for raw spectra of `kind` on `axis`, bound for `target`."""
    faults: list[str] = []
    warnings: list[str] = []
    skipped: list[Skipped] = []
    kept: list[Step] = []
    now, here = kind, axis
    for step in steps:
        if isinstance(step, Resample) and not step.faults(here, now):
            step = step.resolved(now)
        if kind == "centroid" and step.skip_on_centroid and not picked(kept):
            skipped.append(Skipped(step.step, step.method, step.skip_on_centroid))
            continue
        faults += [f"{step.title}: {text}" for text in order_faults(step, kept)]
        faults += [f"{step.title}: {text}" for text in step.faults(here, now)]
        if step.step == "baseline" and any(normalizes(done) for done in kept):
            warnings.append(
                f"{step.title} comes after a normalisation: the total then counts the "
                "baseline, and spectra no longer have it in common; baseline first is usual"
            )
        kept.append(step)
        here = target if isinstance(step, Resample) else here
        now = "centroid" if step.makes_centroids else now
    return FittedSteps(tuple(kept), tuple(skipped), tuple(faults), tuple(warnings))


def picked(steps: Iterable[Step]) -> bool:
    """Whether one of `steps` left only peaks."""
    return any(step.makes_centroids for step in steps)


def normalizes(step: Step) -> bool:
    """Whether `step` changes the overall intensity."""
    return step.step == "normalize" and step.method != "none"


def order_faults(step: Step, done: Sequence[Step]) -> list[str]:
    """Reasons why `step` cannot follow the steps `done`."""
    found = []
    for earlier in done:
        if earlier.step == "transform" and step.before_transform:
            found.append(
                f"it follows {earlier.title}, and {step.before_transform}; move it before, or "
                "leave one out"
            )
        if earlier.makes_centroids and step.skip_on_centroid:
            found.append(
                f"it follows {earlier.title}, after which only peaks are left: "
                f"{step.skip_on_centroid}; move it before the peak picking"
            )
        if normalizes(earlier) and normalizes(step):
            found.append(
                f"it follows {earlier.title}, whose result it replaces; keep one of the two"
            )
        moves = isinstance(step, Resample | ListedPeaks)
        if moves and isinstance(earlier, Resample | ListedPeaks):
            found.append(
                f"{earlier.title} moves the spectra to the store's axis already; keep one of "
                "the two (listed peaks are read from each spectrum's own axis)"
            )
    if isinstance(step, Resample) and step.method in ("sum", "sticks"):
        found += [
            f"it follows {earlier.title}, and sums mean nothing on transformed intensities; "
            "resample first"
            for earlier in done
            if earlier.step == "transform"
        ]
    if isinstance(step, ListedPeaks) and step.measure == "area":
        found += [
            f"it follows {earlier.title}, and an area is a sum of intensities; move it before"
            for earlier in done
            if earlier.step == "transform"
        ]
    return found
