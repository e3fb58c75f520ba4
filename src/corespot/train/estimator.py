"""The estimators by name, each with its parameters spelt out as scikit-learn wants them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from corespot.cohort.positions import SpotPositions
from corespot.errors import ModelError, ParamsError, suggestion
from corespot.models.registry import ModelEntry, entry, names
from corespot.models.search_space import Choice, Range
from corespot.settings import Settings
from corespot.train.loop import LOOP_SPACE, TrainSettings
from corespot.train.network_classifier import NetworkClassifier
from corespot.train.segmentation_classifier import SegmentationClassifier
from corespot.train.spatial_classifier import SpatialClassifier

#: An estimator of any model: scikit-learn's fit and predict, and what explains it.
Estimator = Any

_BASES: dict[str, type[NetworkClassifier]] = {
    "spectrum": NetworkClassifier,
    "patch": SpatialClassifier,
    "core": SegmentationClassifier,
}


def loop_settings(found: ModelEntry) -> TrainSettings:
    """Defaults of the training loop for a network."""
    return TrainSettings.parse(dict(found.training), f"training of {found.name}")


def _network_estimator(found: ModelEntry) -> type[NetworkClassifier]:
    """A classifier whose parameters are those of the network and of the training loop."""
    fields = {**found.config.model_fields, **TrainSettings.model_fields}
    defaults: dict[str, Any] = {**dict(found.config()), **dict(loop_settings(found))}
    defaults |= {"random_state": 0, "device": "auto"}
    name = f"{found.model.__name__}Classifier"
    parameters = [
        inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=value)
        for key, value in defaults.items()
    ]
    this = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)

    def __init__(self: NetworkClassifier, **settings: Any) -> None:
        for key in settings:
            if key not in defaults:
                hint = suggestion(key, list(defaults))
                raise TypeError(f"{name} has no parameter {key!r}; {hint}")
        for key, value in {**defaults, **settings}.items():
            setattr(self, key, value)

    __init__.__signature__ = inspect.Signature([this, *parameters])  # type: ignore[attr-defined]
    described = [f"{key} : {field.description}" for key, field in fields.items()]
    described += ["random_state : same seed, same weights", "device : auto, cpu, cuda, cuda:0"]
    text = (
        f"{found.model.__name__} as a scikit-learn classifier.\n\nParameters\n----------\n"
        + "\n".join(described)
        + f"\n\nReferences\n----------\n{found.source}\n"
    )
    return type(
        name,
        (_BASES[found.input],),
        {
            "__init__": __init__,
            "__doc__": text,
            "__module__": __name__,
            "model_name": found.name,
        },
    )


#: Estimator of every registered model.
ESTIMATORS: dict[str, type[Any]] = {
    name: _network_estimator(entry(name)) if entry(name).is_network else entry(name).model
    for name in names()
}
# Under their own names, by which they are imported and found in other processes.
CompSegNetClassifier = ESTIMATORS["compsegnet"]
Conv1dNetClassifier = ESTIMATORS["conv1d"]
Conv3dClassifier = ESTIMATORS["conv3d"]
DilatedNetClassifier = ESTIMATORS["dilated"]
IsotopeNetClassifier = ESTIMATORS["isotopenet"]
ResNetPatchClassifier = ESTIMATORS["resnet_patch"]
ResidualNetClassifier = ESTIMATORS["residualnet"]


def model_name(estimator: Estimator) -> str:
    """Registered name of the model that `estimator` is of.

    Raises
    ------
    ModelError
        If it is of none.
    """
    for name, kind in ESTIMATORS.items():
        if type(estimator) is kind:
            return name
    raise ModelError(f"{type(estimator).__name__} is not the estimator of a registered model")


def where_they_lie(name: str, positions: SpotPositions) -> dict[str, SpotPositions]:
    """The argument by which a model is told where spots lie; none for spectral models."""
    return {"positions": positions} if entry(name).is_spatial else {}


def setting_names(name: str) -> tuple[str, ...]:
    """Parameters a model takes: its own and, for a network, the training loop's.

    Raises
    ------
    ModelError
        If there is no model of that name.
    """
    found = entry(name)
    loop = tuple(TrainSettings.model_fields) if found.is_network else ()
    return (*found.config.model_fields, *loop)


def default_settings(name: str) -> dict[str, Any]:
    """Every setting of a model as it was published, or as its card says where that is silent.

    Raises
    ------
    ModelError
        If there is no model of that name.
    """
    found = entry(name)
    loop = dict(loop_settings(found)) if found.is_network else {}
    return {**dict(found.config()), **loop}


def search_space(name: str) -> dict[str, Range | Choice]:
    """What may be tuned of a model: its own settings and, for a network, its training's.

    Raises
    ------
    ModelError
        If there is no model of that name.
    """
    found = entry(name)
    return {**(LOOP_SPACE if found.is_network else {}), **found.space}


def make_estimator(
    name: str,
    settings: Mapping[str, Any] | None = None,
    *,
    seed: int,
    device: str | None = None,
    where: str | None = None,
) -> Estimator:
    """Make the estimator of a model from its section of ``params.yaml``.

    Parameters
    ----------
    name : str
        A registered model.
    settings : mapping, optional
        The model's and the training loop's parameters; defaults for those left out.
    seed : int
        Seed of everything random in the fit.
    device : str, optional
        ``"auto"`` if left out; of no concern to models without a network.
    where : str, optional
        Where the settings stand, for messages; ``models.<name>`` if left out.

    Raises
    ------
    ModelError
        If there is no model of that name.
    ParamsError
        If a parameter is unknown (with a suggestion) or out of range.
    """
    found = entry(name)
    known = setting_names(name)
    given = dict(settings or {})
    section = where or f"models.{name}"
    unknown = [
        f"{section}: unknown key {key!r}; {suggestion(str(key), known)}"
        for key in given
        if key not in known
    ]
    if unknown:
        raise ParamsError("\n".join(unknown))
    own = {key: value for key, value in given.items() if key in found.config.model_fields}
    checked = _given(found.config, own, section)
    if found.is_network:
        loop = {key: value for key, value in given.items() if key not in own}
        checked |= _given(TrainSettings, loop, section)
        checked["device"] = device or "auto"
    return ESTIMATORS[name](**checked, random_state=seed)


def _given(kind: type[Settings], values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The values that were given, as the settings make them."""
    return kind.parse(dict(values), where).model_dump(include=set(values))
