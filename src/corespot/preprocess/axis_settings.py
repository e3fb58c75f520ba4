"""Settings of the common m/z axis."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from corespot.settings import Settings


class AxisSettings(Settings):
    """The common m/z axis.

    Parameters
    ----------
    kind : {"auto", "equidistant", "ppm", "tof"}
        Spacing law; ``auto`` keeps the axis that all files share, or chooses one.
    low, high : float, optional
        First and last bin centre; the range all files cover when left out.
    n_bins : int, optional
        Number of bins.
    bin_da, bin_ppm : float, optional
        Bin width instead of `n_bins`; on a ``tof`` axis `bin_da` holds at the middle of the range.
    """

    kind: Literal["auto", "equidistant", "ppm", "tof"] = "auto"
    low: float | None = Field(default=None, gt=0)
    high: float | None = Field(default=None, gt=0)
    n_bins: int | None = Field(default=None, ge=2)
    bin_da: float | None = Field(default=None, gt=0)
    bin_ppm: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _one_width(self) -> Self:
        widths = [
            name for name in ("n_bins", "bin_da", "bin_ppm") if getattr(self, name) is not None
        ]
        if len(widths) > 1:
            raise ValueError(f"give one of n_bins, bin_da and bin_ppm, not {' and '.join(widths)}")
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError("low must be below high")
        if self.kind == "auto" and widths:
            raise ValueError(f"{widths[0]} needs a kind: equidistant, ppm or tof")
        if self.kind == "ppm" and self.bin_da is not None:
            raise ValueError("a ppm axis has no constant width in Da; give bin_ppm or n_bins")
        if self.kind in ("equidistant", "tof") and self.bin_ppm is not None:
            raise ValueError(f"an axis of kind {self.kind} takes bin_da or n_bins, not bin_ppm")
        return self
