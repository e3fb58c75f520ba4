"""The one table of models: name, configuration, source, input and where each is built."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Literal, TypeVar

from corespot.errors import ModelError, suggestion
from corespot.models.search_space import SearchSpace
from corespot.settings import Settings

Kind = type[Any]
Example = Literal["spectrum", "patch", "core"]


class ModelConfig(Settings):
    """Base of the parameters of a model, which say how large it becomes before it is built."""

    def size(self, n_bins: int, n_classes: int) -> tuple[int, int | None]:
        """Trainable parameters, and receptive field in bins (None: the whole axis).

        Raises
        ------
        ModelError
            If the axis is too short for the model, or there are too many classes.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say its size")


Config = TypeVar("Config", bound=type[ModelConfig])


@dataclass(frozen=True)
class ModelEntry:
    """One registered model.

    Parameters
    ----------
    name : str
        Name in ``params.yaml`` and on the command line.
    path : str
        Where its class is, ``module:class``: the network (a ``torch.nn.Module``) or, for a model
        without one, its classifier.
    config : type of ModelConfig
        Its parameters.
    source : str
        Where it was published.
    input : {"spectrum", "patch", "core"}
        What one example is: the spectrum of a spot, a square patch of spots, or a whole core.
    is_network : bool
        Whether it is a ``torch.nn.Module`` trained by gradient descent.
    training : mapping
        Defaults of the training loop that differ for this model.
    most_classes : int, optional
        Number of classes beyond which the method does not go.
    space : mapping
        What may be tuned of it, beside what may be of every network's training.
    """

    name: str
    path: str
    config: type[ModelConfig]
    source: str
    input: Example
    is_network: bool
    training: Mapping[str, Any] = field(default_factory=dict)
    most_classes: int | None = None
    space: SearchSpace = field(default_factory=dict)

    @property
    def model(self) -> Kind:
        """The class at `path`, imported now and not before: PyTorch and scikit-learn come along."""
        module, name = self.path.split(":")
        kind: Kind = getattr(import_module(module), name)
        return kind

    @property
    def is_spatial(self) -> bool:
        """Whether the model looks at more than one spot, so that it needs their positions."""
        return self.input != "spectrum"


_ENTRIES: dict[str, ModelEntry] = {}


def register(
    name: str,
    path: str,
    *,
    source: str,
    input: Example = "spectrum",
    is_network: bool = True,
    training: Mapping[str, Any] | None = None,
    most_classes: int | None = None,
    space: SearchSpace | None = None,
) -> Callable[[Config], Config]:
    """Enter a model under `name`, with the decorated class as its parameters.

    Parameters
    ----------
    name : str
        Name in ``params.yaml`` and on the command line.
    path : str
        Where its class is, ``module:class``; imported when the model is first built.
    source, input, is_network, training, most_classes, space
        As of `ModelEntry`.

    Raises
    ------
    ModelError
        If the name is taken.
    """

    def enter(config: Config) -> Config:
        if name in _ENTRIES:
            raise ModelError(
                f"model {name!r} is registered twice, by {_ENTRIES[name].config.__module__} and by "
                f"{config.__module__}; give one of them another name"
            )
        _ENTRIES[name] = ModelEntry(
            name=name,
            path=path,
            config=config,
            source=source,
            input=input,
            is_network=is_network,
            training=dict(training or {}),
            most_classes=most_classes,
            space=dict(space or {}),
        )
        return config

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
    name: str, n_bins: int, n_classes: int, config: ModelConfig | None = None
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
    if n_bins < 1:
        raise ModelError(f"expected an m/z axis of 1 bin or more, got {n_bins}")
    n_parameters, field = (config or found.config()).size(n_bins, n_classes)
    return {
        "name": name,
        "source": found.source,
        "input": found.input,
        "n_parameters": n_parameters,
        "receptive_field": field,
        "is_network": found.is_network,
    }


def _all() -> dict[str, ModelEntry]:
    # Every file of the catalogue is imported once, so that there is no list to extend.
    catalogue = import_module("corespot.models.catalogue")
    for module in iter_modules(catalogue.__path__):
        import_module(f"{catalogue.__name__}.{module.name}")
    return _ENTRIES
