"""Logistic regression with an L2 penalty on all bins: the linear reference of every network."""

from __future__ import annotations

from pydantic import Field

from corespot.models.registry import ModelConfig, register
from corespot.models.search_space import Range


@register(
    "logistic",
    "corespot.models.logistic:LogisticClassifier",
    source="Cox, J. R. Stat. Soc. B 20(2), 1958; le Cessie & van Houwelingen, 1992",
    is_network=False,
    space={"c": Range(1e-5, 10.0, log=True)},
)
class LogisticConfig(ModelConfig):
    """Parameters of logistic regression.

    Parameters
    ----------
    c : float
        Inverse strength of the penalty.
    max_iterations : int
        Iterations of the solver; a fit that needs more gets ten times as many.
    """

    c: float = Field(
        0.01, gt=0, description="inverse strength of the L2 penalty; smaller is smoother"
    )
    max_iterations: int = Field(
        1000, ge=1, description="iterations of the solver; ten times as many where these do not do"
    )

    def size(self, n_bins: int, n_classes: int) -> tuple[int, int | None]:
        """Free parameters: one weight a bin and an offset, for every class but one."""
        return (n_classes - 1) * (n_bins + 1), None
