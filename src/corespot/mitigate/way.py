"""What a way out of confounding may do, and the one table of ways."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, ClassVar, Literal, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from corespot.audit.applicable import NotApplicable
from corespot.axis import MzAxis
from corespot.errors import ModelError, ParamsError, suggestion
from corespot.models.registry import entry
from corespot.settings import Settings
from corespot.train.objective import Penalty

FloatArray = npt.NDArray[np.float64]
Spectra = npt.NDArray[np.floating]
Ways = TypeVar("Ways", bound="type[Way]")

#: Models that a way is for: all that look at single spectra, or the networks among them.
For = Literal["spectral", "network"]


class Change(Protocol):
    """An affine change of spectra that was fitted on the training part, x -> A x + b."""

    def transform(self, x: Spectra) -> Spectra:
        """Changed spectra, shape and float type as those of `x`, (n, n_bins)."""
        ...

    def pull_back(self, slopes: FloatArray) -> FloatArray:
        """Slopes by the unchanged bins from slopes by the changed ones: slopes · A, (k, n_bins)."""
        ...


class BatchShift(Protocol):
    """Corrects each TMA by statistics of its own spots; see `batch_correction`."""

    def fit(self, x: Spectra, tma: npt.NDArray[np.str_]) -> BatchShift:
        """Fit on the training spots, without labels."""
        ...

    def met(self, x: Spectra, tma: npt.NDArray[np.str_]) -> BatchShift:
        """The same, knowing these TMAs, too, from their own unlabelled spots."""
        ...

    def elsewhere(self) -> BatchShift:
        """The same for another cohort: no TMA is known yet."""
        ...

    def correct(self, x: Spectra, tma: npt.NDArray[np.str_]) -> npt.NDArray[np.float32]:
        """Corrected spectra of TMAs that it knows."""
        ...


@dataclass(frozen=True)
class Way:
    """A way out; a subclass says what it does to spectra, to training, or to the TMAs.

    Parameters
    ----------
    settings : Settings
        Of the type that the way is registered with.
    """

    settings: Any

    name: ClassVar[str]
    sentence: ClassVar[str]
    models: ClassVar[For]
    settings_type: ClassVar[type[Settings]]

    def change(self, x: Spectra, axis: MzAxis) -> Change | None:
        """Fit a change of single spectra on training spectra; ``None`` if the way makes none."""
        return None

    def copies(self, x: Spectra, axis: MzAxis, seed: int) -> npt.NDArray[np.float32] | None:
        """Changed copies that join the training spectra, (k n, n_bins) in k runs of all n."""
        return None

    def penalty(
        self, x: Spectra, axis: MzAxis, push: Callable[[FloatArray], FloatArray]
    ) -> Penalty | None:
        """What is added to the loss of a network; `push` takes directions through the changes."""
        return None

    def batches(self) -> BatchShift | None:
        """An unfitted correction of whole TMAs; ``None`` if the way makes none."""
        return None


_WAYS: dict[str, type[Way]] = {}


def register_way(
    name: str, settings: type[Settings], *, sentence: str, models: For = "spectral"
) -> Callable[[Ways], Ways]:
    """Enter the decorated class under `name`.

    Parameters
    ----------
    name : str
        Name in ``params.yaml``.
    settings : type of Settings
        Its parameters.
    sentence : str
        What it does, for people.
    models : {"spectral", "network"}
        What it works for.

    Raises
    ------
    ModelError
        If the name is taken.
    """

    def enter(kind: Ways) -> Ways:
        if name in _WAYS:
            raise ModelError(f"way {name!r} is registered twice; give one of them another name")
        kind.name, kind.sentence, kind.models = name, sentence, models
        kind.settings_type = settings
        _WAYS[name] = kind
        return kind

    return enter


def way_names() -> tuple[str, ...]:
    """Names of all ways, sorted."""
    return tuple(sorted(_all()))


def way_type(name: str) -> type[Way]:
    """Look a way up.

    Raises
    ------
    ParamsError
        If there is none of that name (with a suggestion).
    """
    ways = _all()
    if name not in ways:
        raise ParamsError(
            f"there is no way out of confounding called {name!r}; {suggestion(name, list(ways))}"
        )
    return ways[name]


def why_not_for(name: str, model: str) -> NotApplicable | None:
    """Say why a way does not work for a model; ``None`` if it does.

    Raises
    ------
    ParamsError
        If there is no such way.
    ModelError
        If there is no such model.
    """
    found, kind = entry(model), way_type(name)
    if found.is_spatial:
        return NotApplicable(
            f"model {model} looks at a {found.input} of spots: ways out of confounding are built "
            "for models of single spectra; retrain a spectral model with it, or ask for a repair "
            "of the design"
        )
    if kind.models == "network" and not found.is_network:
        return NotApplicable(
            f"{name} is a term of a network's loss, and model {model} is no network; use "
            "augmentation or artifact_projection"
        )
    return None


def _all() -> dict[str, type[Way]]:
    # Every file of this package is imported once, so that adding a way is adding a file.
    package = import_module("corespot.mitigate")
    for module in iter_modules(package.__path__):
        import_module(f"corespot.mitigate.{module.name}")
    return _WAYS
