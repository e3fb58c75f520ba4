"""Intensity transforms that tame the dynamic range."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from corespot.axis import MzAxis
from corespot.preprocess.step import Spectra, Step, register_step


def log1p(spectra: Spectra, *, scale: float = 1.0) -> Spectra:
    """ln(1 + scale · x); negative intensities count as zero."""
    return np.log1p(np.maximum(spectra.astype(np.float64), 0.0) * scale).astype(np.float32)


def sqrt(spectra: Spectra, *, scale: float = 1.0) -> Spectra:
    """√(scale · x), which gives counts a constant variance; negatives count as zero."""
    return np.sqrt(np.maximum(spectra.astype(np.float64), 0.0) * scale).astype(np.float32)


@register_step
class Transform(Step):
    """Logarithm or square root of the scaled intensities.

    Parameters
    ----------
    method : {"log1p", "sqrt"}
        Transform.
    scale : float
        Factor before it. With ``log1p`` intensities well below 1/scale stay linear.
    """

    step: Literal["transform"] = "transform"
    method: Literal["log1p", "sqrt"] = "log1p"
    scale: float = Field(default=1.0, gt=0)

    before_transform: ClassVar[str | None] = "the intensities are transformed already"

    def apply(
        self, spectra: Spectra, axis: MzAxis, target: MzAxis | None = None
    ) -> tuple[Spectra, MzAxis]:
        """Transformed spectra on the same axis."""
        transform = log1p if self.method == "log1p" else sqrt
        return transform(spectra, scale=self.scale), axis
