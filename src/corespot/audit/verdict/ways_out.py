"""What the audit recommends: ways of training to try, and what the design would need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from corespot.audit.verdict.readings import Readings
from corespot.audit.verdict.verdict import Verdict

#: Parts of the artifact share as they are named in a reason.
_PARTS = {
    "off_peak": "signal outside peaks",
    "gain": "a smooth gain",
    "calibration": "a shift of the m/z axis",
    "resolution": "the width of peaks",
    "non_peptide": "peaks that are no peptide's",
}
#: Parts that carry less than this are not named.
_WORTH_IT = 0.03
#: Ways by what they were measured to do (docs/mitigation.md), the best first. Names are those of
#: `corespot.mitigate`, which lies above this room.
_WAYS = (
    (
        "artifact_projection",
        "takes off each spectrum what gain, calibration and peak width explain, and masks the rest "
        "outside peptide peaks; with peak_list after it the best pair measured",
    ),
    ("peak_list", "areas of peaks depend neither on their width nor on what lies between them"),
    (
        "augmentation",
        "copies with other gains, shifts, widths and baselines teach a network to ignore them; a "
        "dense linear model hardly",
    ),
)
#: Where control cores alone speak against a model.
_BATCH = (
    "batch_correction",
    "control cores differ between TMAs beyond what the parts explain: each TMA can be moved to the "
    "training mean without labels; where TMA and class coincide this takes the tissue's "
    "difference with it, and is worse than nothing",
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
    carried = {part: readings.number(part) or 0.0 for part in _PARTS}
    told = [
        f"{_PARTS[part]} carries {100 * share:.0f} %"
        for part, share in sorted(carried.items(), key=lambda one: -one[1])
        if share >= _WORTH_IT
    ]
    because = f" (of the class gap, {', '.join(told)})"
    ways = [(way, why + because * (at == 0)) for at, (way, why) in enumerate(_WAYS)] if told else []
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
