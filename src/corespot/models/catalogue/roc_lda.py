"""ROC/LDA: the K bins that separate best by themselves, then linear discriminant analysis."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from corespot.errors import ModelError
from corespot.models.registry import ModelConfig, register
from corespot.models.search_space import Choice

#: The paper's range of K.
DEFAULT_GRID = tuple(range(5, 101, 5))


@register(
    "roc_lda",
    "corespot.models.roc_lda:RocLdaClassifier",
    source="Behrmann et al., Bioinformatics 34(7), 2018, baseline",
    is_network=False,
    space={"k": Choice(("inner", 5, 10, 15, 20, 30, 40, 50, 60, 70, 80, 90, 100))},
)
class RocLdaConfig(ModelConfig):
    """Parameters of ROC/LDA.

    Parameters
    ----------
    k : int or "inner"
        Number of bins kept; "inner" lets inner grouped folds choose it from `k_grid`.
    k_grid : tuple of int
        Candidates, all fitted in one go.
    inner_folds : int
        Number of inner folds.
    """

    k: int | Literal["inner"] = Field(
        "inner",
        description="bins kept, or 'inner': chosen by grouped folds inside the training part",
    )
    k_grid: tuple[int, ...] = Field(DEFAULT_GRID, description="candidates for k")
    inner_folds: int = Field(3, ge=2, description="folds that choose k")

    @field_validator("k")
    @classmethod
    def _positive(cls, value: int | str) -> int | str:
        if isinstance(value, int) and value < 1:
            raise ValueError("must be 1 or more, or 'inner'")
        return value

    @field_validator("k_grid")
    @classmethod
    def _usable(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not value or min(value) < 1:
            raise ValueError("expected one or more numbers of bins, each 1 or more")
        return tuple(sorted(set(value)))

    def size(self, n_bins: int, n_classes: int) -> tuple[int, int | None]:
        """Parameters at the largest K it may use; every K sees bins of the whole axis."""
        largest = max(self.usable_grid(n_bins)) if self.k == "inner" else int(self.k)
        return (n_classes - 1) * (largest + 1), None

    def usable_grid(self, n_bins: int) -> list[int]:
        """Candidates for K that the axis allows, increasing.

        Raises
        ------
        ModelError
            If it allows none.
        """
        if isinstance(self.k, int) and self.k > n_bins:
            raise ModelError(f"roc_lda: k is {self.k}, but the m/z axis has {n_bins} bins")
        grid = {k for k in self.k_grid if k <= n_bins}
        if isinstance(self.k, int):
            grid.add(self.k)
        if not grid:
            raise ModelError(
                f"roc_lda needs an m/z axis of at least {min(self.k_grid)} bins (the smallest K of "
                f"k_grid), got {n_bins}"
            )
        return sorted(grid)
