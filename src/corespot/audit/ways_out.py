"""What the audit recommends: ways of training to try, and what the design would need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from corespot.audit.readings import Readings
from corespot.audit.verdict import Verdict

#: The part of the artifact share that a way acts on, and why. Names are those of
#: `corespot.mitigate`, which lies above this room.
_WAYS: tuple[tuple[str, str, str], ...] = (
    (
        "off_peak",
        "mask_off_peak",
        "signal outside peaks carries {share}: without it the model has to look at peaks",
    ),
    (
        "calibration",
        "artifact_projection",
        "a shift of the m/z axis carries {share}: it can be fitted and taken off each spectrum",
    ),
    (
        "resolution",
        "peak_list",
        "the width of peaks carries {share}: areas of peaks do not depend on it",
    ),
    (
        "gain",
        "augmentation",
        "a smooth gain carries {share}: copies with other gains teach the model to ignore it",
    ),
)
#: Parts that carry less than this are not worth a way of their own.
_WORTH_IT = 0.03
#: Where control cores alone speak against a model.
_BATCH = (
    "batch_correction",
    "control cores differ between TMAs beyond what the parts explain: each TMA can be moved to the "
    "training mean without labels; where TMA and class coincide this takes the tissue's "
    "difference with it",
)
_CONTROLS = (
    "Put control cores of one tissue on every TMA: they show what no other indicator can see."
)
_SECOND = (
    "Measure a second cohort that holds every class on every TMA, and name it under "
    "audit.counterfactual: what is lost there decides."
)


@dataclass(frozen=True)
class Recommendations:
    """What to try.

    Parameters
    ----------
    ways : tuple of (str, str)
        Names of ways that `corespot mitigate` offers, the most promising first, with the reason.
    design : tuple of str
        What the design would need.
    """

    ways: tuple[tuple[str, str], ...]
    design: tuple[str, ...]

    def as_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        return {
            "ways": [{"way": way, "why": why} for way, why in self.ways],
            "design": list(self.design),
        }


def recommend(verdict: Verdict, readings: Readings) -> Recommendations:
    """Ways out for a model, from what carries its class gap.

    Parameters
    ----------
    verdict : Verdict
        The verdict; a model without evidence against it needs no way out.
    readings : Readings
        Its indicators.
    """
    if verdict.word == "no_evidence":
        return Recommendations((), ())
    carried = {part: readings.number(part) or 0.0 for part, _, _ in _WAYS}
    ways = [
        (way, why.format(share=f"{100 * carried[part]:.0f} % of the class gap"))
        for part, way, why in sorted(_WAYS, key=lambda one: -carried[one[0]])
        if carried[part] >= _WORTH_IT
    ]
    against = {one.indicator for one in verdict.findings}
    if "control_share" in against and not ways:
        ways.append(_BATCH)
    return Recommendations(tuple(ways), tuple(_of_design(readings)))


def _of_design(readings: Readings) -> Sequence[str]:
    found = []
    if readings.number("control_share") is None:
        found.append(_CONTROLS)
    if readings.number("counterfactual_drop") is None:
        found.append(_SECOND)
    return found
