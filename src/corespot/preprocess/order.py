"""Which step may follow which, and why not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from corespot.preprocess.peaks import ListedPeaks
from corespot.preprocess.resample import Resample
from corespot.preprocess.step import Step


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
