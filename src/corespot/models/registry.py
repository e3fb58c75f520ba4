"""The one table of models: name, configuration, source, input and how to build each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Literal, Protocol, TypeVar

from corespot.errors import ModelError, suggestion
from corespot.models.search_space import SearchSpace
from corespot.settings import Settings

Registered = TypeVar("Registered")
Kind = type[Any]
Example = Literal["spectrum", "patch", "core"]


class Sized(Protocol):
    """What a registered class can say of itself before it is built."""

    @classmethod
    def size(cls, config: Any, n_bins: int, n_classes: int) -> tuple[int, int | None]:
        """Trainable parameters, and receptive field in bins (None: the whole axis)."""
        ...


@dataclass(frozen=True)
class ModelEntry:
    """One registered model.

    Parameters
    ----------
    name : str
        Name in ``params.yaml`` and on the command line.
    model : type
        The network (a ``torch.nn.Module``) or, for a model without one, its classifier.
    config : type of Settings
        Its parameters.
    source : str
        Where it was published.
    input : {"spectrum", "patch", "core"}
        What one example is: the spectrum of a spot, a square patch of spots, or a whole core.
    is_network : bool
        Whether `model` is a ``torch.nn.Module`` trained by gradient descent.
    training : mapping
        Defaults of the training loop that differ for this model.
    most_classes : int, optional
        Number of classes beyond which the method does not go.
    space : mapping
        What may be tuned of it, beside what may be of every network's training.
    """

    name: str
    model: Kind
    config: type[Settings]
    source: str
    input: Example
    is_network: bool
    training: Mapping[str, Any] = field(default_factory=dict)
    most_classes: int | None = None
    space: SearchSpace = field(default_factory=dict)

    @property
    def is_spatial(self) -> bool:
        """Whether the model looks at more than one spot, so that it needs their positions."""
        return self.input != "spectrum"


_ENTRIES: dict[str, ModelEntry] = {}


def register(
    name: str,
    config: type[Settings],
    *,
    source: str,
    input: Example = "spectrum",
    is_network: bool = True,
    training: Mapping[str, Any] | None = None,
    most_classes: int | None = None,
    space: SearchSpace | None = None,
) -> Callable[[Registered], Registered]:
    """Enter the decorated class under `name`.

    Raises
    ------
    ModelError
        If the name is taken.
    """

    def enter(model: Registered) -> Registered:
        if name in _ENTRIES:
            raise ModelError(
                f"model {name!r} is registered twice, by {_ENTRIES[name].model.__module__} and by "
                f"{getattr(model, '__module__', '?')}; give one of them another name"
            )
        assert isinstance(model, type)
        _ENTRIES[name] = ModelEntry(
            name=name,
            model=model,
            config=config,
            source=source,
            input=input,
            is_network=is_network,
            training=dict(training or {}),
            most_classes=most_classes,
            space=dict(space or {}),
        )
        return model

    return enter


def names() -> tuple[str, ...]:
    """Names of all models, sorted."""
    return tuple(sorted(_all()))


def entry(name: str) -> ModelEntry:
    """Look a model up.

    Raises
    ------
    ModelError
        If there is none of that name (with a suggestion).
    """
    entries = _all()
    if name not in entries:
        raise ModelError(f"there is no model {name!r}; {suggestion(name, list(entries))}")
    return entries[name]


def build(name: str, settings: Mapping[str, Any] | Settings, n_bins: int, n_classes: int) -> Any:
    """Build the network `name`.

    Parameters
    ----------
    name : str
        A registered network.
    settings : mapping or Settings
        Its configuration.
    n_bins, n_classes : int
        Length of the m/z axis and number of classes.

    Raises
    ------
    ModelError
        If the name is unknown, the model is no network, the axis too short for it, or the classes
        too many.
    ParamsError
        If the configuration is wrong.
    """
    found = entry(name)
    if not found.is_network:
        raise ModelError(
            f"model {name!r} is a closed-form classifier, there is no network to build"
        )
    check_n_classes(name, n_classes)
    config = (
        settings
        if isinstance(settings, found.config)
        else found.config.parse(dict(settings), f"model {name}")
    )
    return found.model(config, n_bins, n_classes)


def check_n_classes(name: str, n_classes: int) -> None:
    """Refuse more classes than a method allows.

    Raises
    ------
    ModelError
        If there are too many, with what to do.
    """
    most = entry(name).most_classes
    if most is not None and n_classes > most:
        raise ModelError(
            f"model {name!r} knows {most} classes, the task has {n_classes}: its method tells one "
            "positive class from the rest; make a task of two classes, or leave this model out of "
            "`models`"
        )


def describe(
    name: str, n_bins: int, n_classes: int, config: Settings | None = None
) -> dict[str, str | int | bool | None]:
    """Describe a model for an axis and a number of classes.

    Returns
    -------
    dict
        ``name``, ``source``, ``input``, ``n_parameters`` (trainable), ``receptive_field`` (bins
        that one feature sees; None: the whole axis) and ``is_network``.

    Raises
    ------
    ModelError
        If the name is unknown or the axis too short.
    """
    found = entry(name)
    sized: type[Sized] = found.model
    n_parameters, field = sized.size(config or found.config(), n_bins, n_classes)
    return {
        "name": name,
        "source": found.source,
        "input": found.input,
        "n_parameters": n_parameters,
        "receptive_field": field,
        "is_network": found.is_network,
    }


def _all() -> dict[str, ModelEntry]:
    # Every file of this package is imported once, so that adding a model is adding a file; but
    # for kernels, which are no models and bring numba along.
    package = import_module("corespot.models")
    for module in iter_modules(package.__path__):
        if not module.name.endswith("_kernel"):
            import_module(f"corespot.models.{module.name}")
    return _ENTRIES
