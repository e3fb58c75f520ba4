"""The estimators by name, each with its parameters spelt out as scikit-learn wants them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from corespot.cohort.positions import SpotPositions
from corespot.errors import ModelError, suggestion
from corespot.models.registry import ModelEntry, entry, names
from corespot.train.model_settings import checked_settings, loop_settings
from corespot.train.network_classifier import NetworkClassifier
from corespot.train.segmentation_classifier import SegmentationClassifier
from corespot.train.settings import TrainSettings
from corespot.train.spatial_classifier import SpatialClassifier

#: An estimator of any model: scikit-learn's fit and predict, and what explains it.
Estimator = Any

_BASES: dict[str, type[NetworkClassifier]] = {
    "spectrum": NetworkClassifier,
    "patch": SpatialClassifier,
    "core": SegmentationClassifier,
}


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
    checked = checked_settings(name, settings, where=where)
    if entry(name).is_network:
        checked["device"] = device or "auto"
    return ESTIMATORS[name](**checked, random_state=seed)
