"""What the audit of a model measured, as plain numbers by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from corespot.audit.applicable import NotApplicable

#: A number, or why there is none.
Reading = float | NotApplicable

#: Every indicator with what it says, in the order of reports.
MEANINGS: Mapping[str, str] = {
    "V": "association of label and TMA over patients, Cramér's V, bias-corrected",
    "balanced_accuracy": "balanced accuracy on held-out TMAs",
    "artifact_share": "share of the class gap carried by off-peak signal, gain, calibration and "
    "resolution",
    "off_peak": "share carried by signal outside peaks",
    "gain": "share carried by a smooth gain",
    "calibration": "share carried by a shift of the m/z axis",
    "resolution": "share carried by the width of peaks",
    "non_peptide": "share carried by peaks that are no peptide's",
    "control_share": "share of the class gap that control cores show between TMAs",
    "control_p": "permutation p of that",
    "leakage": "share of the variance of scores within a class that the TMA explains",
    "leakage_p": "permutation p of that",
    "negative_control": "balanced accuracy of classifiers that see no peaks",
    "masking_drop": "accuracy lost without signal outside peaks",
    "grouping_gap": "accuracy with patients held out less that with TMAs held out",
    "shared_windows": "label windows that also tell TMAs apart within a class; 0 chance, 1 all",
    "spectral_entropy": "evenness of the sensitivity profile",
    "energy_spread": "share of the bins that hold nine tenths of the profile's energy",
    "off_peak_energy_density": "energy density of the profile outside peaks",
    "broadband_oscillation": "oscillation of the profile in windows without peaks",
    "forbidden_defect_energy": "energy density of the profile where no peptide can be",
    "derivative_shape": "share of the profile on peaks that follows their slope",
    "counterfactual_accuracy": "balanced accuracy on the second cohort",
    "counterfactual_drop": "accuracy lost on the second cohort, whose design is broken",
    "counterfactual_drop_low": "lower end of its 95 % interval over patients",
    "counterfactual_drop_high": "upper end of its 95 % interval over patients",
}


@dataclass(frozen=True)
class Readings:
    """Indicators of one model on one task.

    Parameters
    ----------
    values : mapping of str to float or NotApplicable
        By a name of `MEANINGS`; a number that is not finite is not applicable.
    """

    values: Mapping[str, Reading]

    def __post_init__(self) -> None:
        # No comparison with a NaN holds, so that one would pass for harmless.
        known = {
            name: value
            if isinstance(value, NotApplicable) or np.isfinite(value)
            else NotApplicable("it is not a finite number")
            for name, value in self.values.items()
        }
        object.__setattr__(self, "values", known)

    def __getitem__(self, name: str) -> Reading:
        return self.values.get(name, NotApplicable("it was not measured"))

    def number(self, name: str) -> float | None:
        """The number, or ``None`` where there is none."""
        value = self[name]
        return None if isinstance(value, NotApplicable) else value

    def above(self, name: str, threshold: float) -> bool:
        """Whether an indicator has a number above a threshold."""
        value = self.number(name)
        return value is not None and value > threshold

    def not_applicable(self) -> dict[str, str]:
        """Reason by name of each indicator without a number."""
        return {name: v.reason for name, v in self._items() if isinstance(v, NotApplicable)}

    def as_dict(self) -> dict[str, float | None]:
        """Number by name; null where there is none."""
        return {name: self.number(name) for name in self.values}

    @classmethod
    def of(cls, numbers: Mapping[str, Any], reasons: Mapping[str, str]) -> Readings:
        """From what `as_dict` and `not_applicable` gave."""
        return cls(
            {
                name: NotApplicable(reasons.get(name, "it was not measured"))
                if value is None
                else float(value)
                for name, value in numbers.items()
            }
        )

    def _items(self) -> Iterator[tuple[str, Reading]]:
        yield from self.values.items()


def median_reading(values: Sequence[Reading]) -> Reading:
    """Median over folds; not applicable where more than half of them have no number."""
    numbers = [value for value in values if not isinstance(value, NotApplicable)]
    if values and 2 * len(numbers) >= len(values) and numbers:
        return float(np.median(numbers))
    reasons = [value.reason for value in values if isinstance(value, NotApplicable)]
    if not reasons:
        return NotApplicable("there is no fold")
    return NotApplicable(
        reasons[0]
        if len(reasons) == len(values)
        else f"in {len(reasons)} of {len(values)} folds: {reasons[0]}"
    )
