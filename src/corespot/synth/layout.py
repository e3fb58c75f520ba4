"""An explicit layout: how many patients of each organ sit on each TMA."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from pydantic import Field, model_validator

from corespot.settings import Settings


class TmaContents(Settings):
    """One TMA of a layout.

    Parameters
    ----------
    lung, pancreas : int
        Patients of either organ; one at least in all.
    """

    lung: int = Field(default=0, ge=0)
    pancreas: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not self.lung + self.pancreas:
            raise ValueError("a TMA of a layout holds one patient at least: leave empty ones out")
        return self


def campaigns_of(layout: Sequence[TmaContents]) -> list[int]:
    """Campaign of each TMA, 0 or 1, as the classes go: the worst case for a study.

    Lung's campaign is 0, and pancreas's is 1. A TMA goes with the organ that it holds more of than
    all TMAs together, so that the campaign follows the class also where one class is the smaller
    everywhere; TMAs that hold as much of it as all together alternate.
    """
    n_lung = sum(tma.lung for tma in layout)
    n_patients = n_lung + sum(tma.pancreas for tma in layout)
    found, n_even = [], 0
    for tma in layout:
        beyond = tma.lung * n_patients - n_lung * (tma.lung + tma.pancreas)
        if beyond:
            found.append(0 if beyond > 0 else 1)
        else:
            found.append(n_even % 2)
            n_even += 1
    return found


def shared_out(layout: Sequence[TmaContents]) -> list[TmaContents]:
    """The counterfactual: as many patients on each TMA, half of them of each organ.

    Of an odd number, the organs take turns in being one more. A TMA with one patient gets two.
    """
    found, n_odd = [], 0
    for tma in layout:
        n = max(tma.lung + tma.pancreas, 2)
        lung = n // 2 + (n % 2 and 1 - n_odd % 2)
        n_odd += n % 2
        found.append(TmaContents(lung=lung, pancreas=n - lung))
    return found
