"""The estimators by name, each with its parameters spelt out as scikit-learn wants them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from corespot.errors import ModelError, ParamsError, suggestion
from corespot.models.registry import entry
from corespot.models.roc_lda import RocLdaClassifier
from corespot.train.loop import TrainSettings
from corespot.train.network_classifier import NetworkClassifier

Estimator = RocLdaClassifier | NetworkClassifier


class IsotopeNetClassifier(NetworkClassifier):
    """IsotopeNet as a scikit-learn classifier.

    Parameters
    ----------
    dropout, local_kernel
        The network's; see `corespot.models.isotopenet.IsotopeNetConfig`.
    epochs, batch_size, learning_rate, weight_decay, schedule, precision
        The training loop's; see `corespot.train.loop.TrainSettings`.
    early_stopping, patience, validation_folds
        Stopping on an inner grouped split; `fit` then needs `groups`.
    random_state : int
        Same seed, same weights.
    device : str
        ``"auto"`` (the GPU if there is one), ``"cpu"``, ``"cuda"``.

    References
    ----------
    Behrmann et al., Bioinformatics 34(7), 2018, doi:10.1093/bioinformatics/btx724.

    Examples
    --------
    >>> cross_validate(IsotopeNetClassifier(epochs=30), X, y, groups=tma, cv=GroupKFold(4))
    """

    model_name = "isotopenet"

    def __init__(
        self,
        *,
        dropout: float = 0.3,
        local_kernel: int = 5,
        epochs: int = 100,
        batch_size: int = 256,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        schedule: str = "constant",
        precision: str = "auto",
        early_stopping: bool = False,
        patience: int = 20,
        validation_folds: int = 4,
        random_state: int = 0,
        device: str = "auto",
    ) -> None:
        self.dropout = dropout
        self.local_kernel = local_kernel
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.precision = precision
        self.early_stopping = early_stopping
        self.patience = patience
        self.validation_folds = validation_folds
        self.random_state = random_state
        self.device = device


class ResidualNetClassifier(NetworkClassifier):
    """ResidualNet as a scikit-learn classifier.

    Parameters
    ----------
    first_filters, most_filters
        The network's; see `corespot.models.residualnet.ResidualNetConfig`.
    epochs, batch_size, learning_rate, weight_decay, schedule, precision
        The training loop's; see `corespot.train.loop.TrainSettings`.
    early_stopping, patience, validation_folds
        Stopping on an inner grouped split; `fit` then needs `groups`.
    random_state : int
        Same seed, same weights.
    device : str
        ``"auto"`` (the GPU if there is one), ``"cpu"``, ``"cuda"``.

    References
    ----------
    Behrmann et al., Bioinformatics 34(7), 2018, doi:10.1093/bioinformatics/btx724.
    """

    model_name = "residualnet"

    def __init__(
        self,
        *,
        first_filters: int = 16,
        most_filters: int = 128,
        epochs: int = 100,
        batch_size: int = 256,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        schedule: str = "constant",
        precision: str = "auto",
        early_stopping: bool = False,
        patience: int = 20,
        validation_folds: int = 4,
        random_state: int = 0,
        device: str = "auto",
    ) -> None:
        self.first_filters = first_filters
        self.most_filters = most_filters
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.precision = precision
        self.early_stopping = early_stopping
        self.patience = patience
        self.validation_folds = validation_folds
        self.random_state = random_state
        self.device = device


#: Estimator of every registered model.
ESTIMATORS: dict[str, type[Any]] = {
    "roc_lda": RocLdaClassifier,
    "isotopenet": IsotopeNetClassifier,
    "residualnet": ResidualNetClassifier,
}


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


def make_estimator(
    name: str, settings: Mapping[str, Any] | None = None, *, seed: int, device: str | None = None
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

    Raises
    ------
    ModelError
        If there is no model of that name.
    ParamsError
        If a parameter is unknown (with a suggestion) or out of range.
    """
    found = entry(name)
    if name not in ESTIMATORS:
        raise ModelError(f"model {name!r} has no estimator; enter one in train/estimator.py")
    known = setting_names(name)
    given = dict(settings or {})
    unknown = [
        f"models.{name}: unknown key {key!r}; {suggestion(str(key), known)}"
        for key in given
        if key not in known
    ]
    if unknown:
        raise ParamsError("\n".join(unknown))
    own = {key: value for key, value in given.items() if key in found.config.model_fields}
    checked = found.config.parse(own, f"models.{name}").model_dump(include=set(own))
    if found.is_network:
        loop = {key: value for key, value in given.items() if key not in own}
        parsed = TrainSettings.parse(loop, f"models.{name}")
        checked |= parsed.model_dump(include=set(loop))
        checked["device"] = device or "auto"
    estimator: Estimator = ESTIMATORS[name](**checked, random_state=seed)
    return estimator
