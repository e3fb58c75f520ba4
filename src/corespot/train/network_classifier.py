"""What all network estimators share: fit, predict and differentiate, in scikit-learn's way."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import balanced_accuracy_score
from torch import nn

from corespot.cohort.positions import SpotPositions
from corespot.errors import ModelError
from corespot.models.fitted_arrays import require_shapes
from corespot.models.layers import n_trainable
from corespot.models.registry import build, check_n_classes, entry
from corespot.models.spectra_input import check_labels, check_spectra
from corespot.seeding import derive_seed
from corespot.settings import Settings
from corespot.train.allocator import keep_freed_memory
from corespot.train.data import (
    DeviceSpectra,
    Held,
    Spectra,
    choose_device,
    root_mean_square,
    take_rows,
)
from corespot.train.fit_inputs import Told, Watched, split_validation, use_bf16
from corespot.train.gradient import Output, mean_gradients
from corespot.train.loop import PREDICT_BATCH, Labelled, OnEpoch, TrainSettings, train_network
from corespot.train.objective import Penalty

Rows = npt.NDArray[np.int64]


#: Constructor parameters that are neither the model's nor the loop's.
_OWN = ("random_state", "device")


class NetworkClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Base of the network estimators; each names its model and spells its parameters out.

    Attributes
    ----------
    classes_ : ndarray, shape (n_classes,)
        Labels, in the order of the columns.
    history_ : list of dict
        One entry an epoch; see `corespot.train.loop.train_network`.
    network_ : nn.Module
        The trained network, in evaluation mode.
    input_scale_ : float
        Factor applied to spectra before the network: one over their root mean square in training.
    n_parameters_, n_features_in_ : int
        Trainable parameters, and bins of the axis.
    device_, precision_ : str
        Where and how it was trained.
    facts_ : dict
        What the fit found worth telling beside its parameters, JSON-able.

    Notes
    -----
    Deviation: the paper feeds TIC-normalised spectra as they are. Their intensities are of the
    order 1/n_bins, below the ε of batch normalisation squared, so a network that sees them so
    hardly learns; a single factor fitted on the training spectra brings them to unit size.
    """

    model_name: ClassVar[str]
    facts_: dict[str, Any]

    def fit(
        self,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        groups: npt.ArrayLike | None = None,
        on_epoch: OnEpoch | None = None,
        checkpoint: Path | str | None = None,
        *,
        positions: SpotPositions | None = None,
        watched: Watched | None = None,
        held: Held | None = None,
        penalty: Penalty | None = None,
    ) -> Self:
        """Train from scratch, or from `checkpoint` if it holds the state of this very fit.

        Parameters
        ----------
        X : array-like, shape (n_spots, n_bins)
            Spectra; a memory map is read in blocks.
        y : array-like, shape (n_spots,)
            Labels.
        groups : array-like, shape (n_spots,), optional
            What early stopping must not split (TMA or patient); required by it.
        on_epoch : callable, optional
            Called with the history entry of every epoch.
        checkpoint : Path, optional
            File (or folder) where the state is kept after every epoch.
        positions : SpotPositions, optional
            Where the spots lie; needed by models of patches or cores.
        watched : Watched, optional
            Held-out spots whose balanced accuracy is written into the history after every epoch,
            to be looked at. Nothing depends on it.
        held : Held, optional
            The spectra where they are on the device already; models of images make their own.
        penalty : Penalty, optional
            What is added to the loss of every step; for models of single spectra.

        Raises
        ------
        ModelError
            If the input is unusable, the axis too short, or training diverges.
        ParamsError
            If a parameter is out of range.
        """
        x = check_spectra(X)
        self.classes_, index = check_labels(y, len(x))
        self.n_features_in_ = x.shape[1]
        check_n_classes(self.model_name, len(self.classes_))
        self._check_positions(positions, len(x))
        told = Told(x, index, groups, positions, held, penalty)
        self._train(told, watched, on_epoch, checkpoint)
        return self

    def _train(
        self,
        told: Told,
        watched: Watched | None,
        on_epoch: OnEpoch | None,
        checkpoint: Path | str | None,
    ) -> None:
        config, settings = self.parsed_settings()
        self.facts_ = {}
        x, seed, n_classes = told.x, int(self.random_state), len(self.classes_)
        train, validation = split_validation(told.y, told.groups, settings, seed)
        device = choose_device(self.device)
        if device.type == "cpu":
            keep_freed_memory()
        bf16 = use_bf16(settings.precision, device, entry(self.model_name).model)
        self.device_, self.precision_ = str(device), "bf16" if bf16 else "float32"
        fitted_on = x if len(train) == len(x) else take_rows(x, train)
        self.input_scale_ = 1.0 / root_mean_square(fitted_on)
        # The caller's random state stays untouched, and cuDNN picks reproducible algorithms.
        with (
            torch.random.fork_rng(devices=[device] if device.type == "cuda" else []),
            torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True),
        ):
            torch.manual_seed(derive_seed(seed, "weights"))
            network = build(self.model_name, config, self.n_features_in_, n_classes)
            if hasattr(network, "prepare"):
                network.prepare(fitted_on, told.y[train], self.input_scale_)
            self.network_: nn.Module = network.to(device)
            self.history_ = train_network(
                self.network_,
                self._labelled(told, train, validation),
                settings,
                seed=seed,
                bf16=bf16,
                label=self.model_name,
                fingerprint="" if checkpoint is None else self._fingerprint(told, train),
                watch=None if watched is None else self._watch(watched),
                on_epoch=on_epoch,
                checkpoint=checkpoint,
                term=None
                if told.penalty is None
                else partial(told.penalty, scale=self.input_scale_),
                facts=self.facts_,
            )
        told_by_network = {**getattr(network, "about", {}), **getattr(network, "found", {})}
        self.facts_ = {**told_by_network, **self.facts_}

    def _labelled(self, told: Told, train: Rows, validation: Rows) -> Labelled:
        """The examples that the network is trained and validated on."""
        device = torch.device(self.device_)
        spectra = DeviceSpectra(told.x, device, scale=self.input_scale_, held=told.held)
        labels = torch.from_numpy(told.y).to(device)
        return Labelled(spectra, labels, len(self.classes_), train, validation)

    def _watch(self, watched: Watched) -> Callable[[], dict[str, float]]:
        """A function that says how well the held-out spots are told apart by now."""
        x = check_spectra(watched.X, self.n_features_in_)
        truth = np.asarray(watched.y)
        score = self._scorer(x, watched.positions, watched.held)

        def look() -> dict[str, float]:
            predicted = self.classes_[score().argmax(axis=1)]
            with warnings.catch_warnings():
                # A class that only the network names is an error of its, not of the input's.
                warnings.simplefilter("ignore", UserWarning)
                value = balanced_accuracy_score(truth, predicted)
            return {"test_balanced_accuracy": float(value)}

        return look

    def _scorer(
        self, x: Spectra, positions: SpotPositions | None, held: Held | None = None
    ) -> Callable[[], npt.NDArray[np.float64]]:
        """A function that scores spots with the network as it is; the spots are prepared once."""
        spectra = self._on_device(x, held, again=True)
        return lambda: self._score(spectra)

    def _score(self, spectra: DeviceSpectra) -> npt.NDArray[np.float64]:
        self.network_.eval()
        shape = (len(spectra), len(self.classes_))
        # Collected where they are computed: a copy for each batch would wait for it.
        scores = torch.empty(shape, dtype=torch.float64, device=spectra.device)
        with torch.no_grad():
            for rows, batch in spectra.batches(PREDICT_BATCH):
                scores[rows] = self.network_(batch).double()
        found: npt.NDArray[np.float64] = scores.cpu().numpy()
        return found

    def decision_scores(
        self, X: npt.ArrayLike, *, held: Held | None = None
    ) -> npt.NDArray[np.float64]:
        """Scores before the softmax, shape (n, n_classes), computed in float32."""
        return self._score(self._on_device(X, held))

    def predict_proba(
        self, X: npt.ArrayLike, *, held: Held | None = None
    ) -> npt.NDArray[np.float64]:
        """Class probabilities, shape (n, n_classes)."""
        scores = self.decision_scores(X, held=held)
        grown = np.exp(scores - scores.max(axis=1, keepdims=True))
        probability: npt.NDArray[np.float64] = grown / grown.sum(axis=1, keepdims=True)
        return probability

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[Any]:
        """Most probable class of each spectrum, shape (n,)."""
        best = self.decision_scores(X).argmax(axis=1)
        predicted: npt.NDArray[Any] = self.classes_[best]
        return predicted

    def mean_gradient(
        self, X: npt.ArrayLike, *, of: Output = "probability"
    ) -> npt.NDArray[np.float64]:
        """Mean over `X` of the derivative of each class's output by each bin.

        Parameters
        ----------
        X : array-like, shape (n, n_bins)
            Spectra, unscaled; the derivative is by these.
        of : {"probability", "logit"}
            Probability p of the class, or log(p / (1 - p)).

        Returns
        -------
        ndarray of float64, shape (n_classes, n_bins)
        """
        if of not in ("probability", "logit"):
            raise ModelError(f"expected of='probability' or of='logit', got {of!r}")
        return self.mean_gradients(X)[of]

    def mean_gradients(
        self, X: npt.ArrayLike, *, positions: SpotPositions | None = None
    ) -> dict[Output, npt.NDArray[np.float64]]:
        """`mean_gradient` of both outputs, for the price of one; `positions` are of no concern."""
        spectra = self._on_device(X)
        return mean_gradients(self.network_, spectra, len(self.classes_), PREDICT_BATCH)

    def embed(self, X: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Activations of the penultimate layer, shape (n, n_features of the layer)."""
        spectra = self._on_device(X)
        self.network_.eval()
        with torch.no_grad():
            found = [
                self.network_.forward_features(batch).flatten(1).float().cpu()  # type: ignore[operator]
                for _, batch in spectra.batches(PREDICT_BATCH)
            ]
        embedded: npt.NDArray[np.float32] = torch.cat(found).numpy()
        return embedded

    @property
    def n_parameters_(self) -> int:
        """Trainable parameters of the fitted network."""
        return n_trainable(self.network_)

    def parsed_settings(self) -> tuple[Settings, TrainSettings]:
        """The parameters, validated, as the model's configuration and the loop's settings.

        Raises
        ------
        ParamsError
            If one is out of range.
        """
        values = {k: v for k, v in self.get_params(deep=False).items() if k not in _OWN}
        config_type = entry(self.model_name).config
        own = {k: values.pop(k) for k in config_type.model_fields}
        return (
            config_type.parse(own, self.model_name),
            TrainSettings.parse(values, self.model_name),
        )

    def _on_device(
        self, X: npt.ArrayLike, held: Held | None = None, *, again: bool = False
    ) -> DeviceSpectra:
        if not hasattr(self, "network_"):
            raise ModelError(f"this {type(self).__name__} is not fitted yet; call fit first")
        x = check_spectra(X, self.n_features_in_)
        device = next(self.network_.parameters()).device
        # If each spectrum is used once, only what is in the right memory already stays there.
        in_memory = isinstance(x, np.ndarray) and not isinstance(x, np.memmap)
        resident = None if again else device.type == "cpu" and in_memory
        return DeviceSpectra(x, device, scale=self.input_scale_, resident=resident, held=held)

    def to_arrays(self) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
        """Everything fitted: named arrays, and what is no array, JSON-able."""
        arrays = {name: v.cpu().numpy() for name, v in self.network_.state_dict().items()}
        fitted = {
            "input_scale": self.input_scale_,
            "trained_on": self.device_,
            "precision": self.precision_,
            "facts": self.facts_,
        }
        return arrays, fitted

    def from_arrays(
        self, arrays: dict[str, npt.NDArray[Any]], fitted: Mapping[str, Any], where: str
    ) -> None:
        """Take over what `to_arrays` of a fitted estimator gave.

        Raises
        ------
        ModelError
            If an array is missing, unknown or of another shape.
        """
        config, _ = self.parsed_settings()
        network = build(self.model_name, config, self.n_features_in_, len(self.classes_))
        expected = {name: tuple(value.shape) for name, value in network.state_dict().items()}
        require_shapes(arrays, expected, where)
        network.load_state_dict({name: torch.from_numpy(v) for name, v in arrays.items()})
        self.network_ = network.to(choose_device(self.device)).eval()
        self.input_scale_ = float(fitted["input_scale"])
        self.device_, self.precision_ = fitted["trained_on"], fitted["precision"]
        self.facts_ = dict(fitted["facts"])

    def _check_positions(self, positions: SpotPositions | None, n_spots: int) -> None:
        """Spectral models look at one spot at a time: where it lies is of no concern."""

    def _fingerprint(self, told: Told, train: Rows) -> str:
        """Identity of a fit: a change of spectra, labels, places or parameters changes it."""
        params = self.get_params(deep=False)
        if params["schedule"] == "constant":
            del params["epochs"]  # more epochs than before are the same fit, gone on with
        about = [self.model_name, params, getattr(self.network_, "about", {})]
        digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
        digest.update(told.fingerprint.encode() + train.tobytes())
        return digest.hexdigest()
