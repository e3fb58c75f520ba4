"""What a preprocessing step is, and the one dict all of them are registered in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, TypeVar, get_args

import numpy as np
import numpy.typing as npt

from corespot.axis import MzAxis
from corespot.errors import ParamsError, RecipeError, suggestion
from corespot.settings import Settings

#: A block of spectra, shape (n, n_bins).
Spectra = npt.NDArray[np.float32]
#: Profile: every m/z was sampled. Centroid: only peaks are left, the rest is absent or zero.
DataKind = Literal["profile", "centroid"]

#: Steps people ask for that learn from many spectra, and where they belong instead.
NEEDS_FITTING = {
    "standardize": "standardise inside the model",
    "scale": "standardise inside the model",
    "pca": "reduce inside the model",
    "select": "select bins inside the model, as roc_lda does",
    "batch_correction": "correct inside the fold",
    "combat": "correct inside the fold",
    "quantile": "quantile normalisation needs the cohort's quantiles; use normalize: median",
}


class Step(Settings):
    """One per-spectrum, stateless operation with its parameters; base of every step.

    A step never looks at more than one row, so that a recipe gives a spectrum the same numbers
    alone, in a block, and in a cohort. All-zero rows stay zero in every step.

    Parameters
    ----------
    step : str
        Name of the step in ``params.yaml``.
    method : str
        Name of the method.
    """

    step: str
    method: str

    #: Why there is nothing for the step to do on centroid data; None if it works there.
    skip_on_centroid: ClassVar[str | None] = None
    #: Why the step is wrong on logarithms or roots of intensities; None if it is not.
    before_transform: ClassVar[str | None] = None
    #: Whether only peaks are left after the step.
    makes_centroids: ClassVar[bool] = False

    #: Whether a call has costs of its own, so that many rows should share one.
    costly_call: ClassVar[bool] = False

    @property
    def title(self) -> str:
        """Name for messages, e.g. ``"baseline (convolution)"``."""
        return f"{self.step} ({self.method})"

    def minimum_bins(self) -> int:
        """Shortest spectrum the step works on."""
        return 1

    def faults(self, axis: MzAxis, kind: DataKind) -> list[str]:
        """Reasons why the step cannot work on spectra of `kind` on `axis`; empty if it can."""
        return []

    def apply(
        self, spectra: Spectra, axis: MzAxis, target: MzAxis | None = None
    ) -> tuple[Spectra, MzAxis]:
        """Work on a block.

        Parameters
        ----------
        spectra : ndarray of float32, shape (n, n_bins)
            Intensities; never changed in place.
        axis : MzAxis
            Their axis.
        target : MzAxis, optional
            The store's axis, for the steps that move to it.

        Returns
        -------
        spectra : ndarray of float32, shape (n, n_bins')
            New intensities.
        axis : MzAxis
            Their axis.
        """
        raise NotImplementedError


StepClass = TypeVar("StepClass", bound="Step")

#: Every step by name, then by method.
STEPS: dict[str, dict[str, type[Step]]] = {}


def register_step(cls: type[StepClass]) -> type[StepClass]:
    """Add a step class to `STEPS` under the literal values of its ``step`` and ``method`` fields.

    Raises
    ------
    ValueError
        If the pair is taken.
    """
    (name,) = get_args(cls.model_fields["step"].annotation)
    for method in get_args(cls.model_fields["method"].annotation):
        methods = STEPS.setdefault(name, {})
        if method in methods:
            raise ValueError(f"step {name!r} with method {method!r} is registered twice")
        methods[method] = cls
    return cls


def parse_step(mapping: object, where: str) -> Step:
    """Read one entry of a recipe.

    Parameters
    ----------
    mapping : object
        What stands in ``params.yaml``: ``{step: …, method: …, …}``.
    where : str
        Its place, for messages.

    Raises
    ------
    ParamsError
        If the step, its method or a key is unknown, or a value is out of range.
    RecipeError
        If the step would have to be fitted on many spectra.
    """
    if not isinstance(mapping, Mapping) or "step" not in mapping:
        raise ParamsError(f"{where}: expected {{step: NAME, method: NAME, …}}, got {mapping!r}")
    name = str(mapping["step"])
    if name in NEEDS_FITTING:
        raise RecipeError(
            f"{where}: {name!r} learns from many spectra, so done before the folds are made it "
            f"would leak the test part into training; {NEEDS_FITTING[name]}"
        )
    if name not in STEPS:
        raise ParamsError(f"{where}: unknown step {name!r}; {suggestion(name, list(STEPS))}")
    methods = STEPS[name]
    if "method" not in mapping:
        raise ParamsError(f"{where}: step {name!r} needs a method, one of {', '.join(methods)}")
    method = str(mapping["method"])
    if method not in methods:
        if name == "align" and method in ("cohort", "mean", "mean_spectrum", "reference_spectrum"):
            raise RecipeError(
                f"{where}: aligning to a spectrum of the cohort is a fitted step and belongs "
                "inside the fold; use method peptide_rule, or references with a list of m/z"
            )
        raise ParamsError(
            f"{where}: step {name!r} has no method {method!r}; {suggestion(method, list(methods))}"
        )
    content: dict[str, Any] = {str(key): value for key, value in mapping.items()}
    return methods[method].parse(content, where)
