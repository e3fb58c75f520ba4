"""What all network estimators share: fit, predict and differentiate, in scikit-learn's way."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from torch import nn

from corespot.cohort.splits import inner_folds
from corespot.errors import ModelError
from corespot.models.layers import n_trainable
from corespot.models.registry import build, entry
from corespot.models.spectra_input import check_groups, check_labels, check_spectra
from corespot.seeding import derive_seed
from corespot.settings import Settings
from corespot.train.allocator import keep_freed_memory
from corespot.train.data import DeviceSpectra, Spectra, choose_device, root_mean_square
from corespot.train.gradient import Output, mean_gradient
from corespot.train.loop import PREDICT_BATCH, Labelled, OnEpoch, TrainSettings, train_network

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

    Notes
    -----
    Deviation: the paper feeds TIC-normalised spectra as they are. Their intensities are of the
    order 1/n_bins, below the ε of batch normalisation squared, so a network that sees them so
    hardly learns; a single factor fitted on the training spectra brings them to unit size.
    """

    model_name: ClassVar[str]

    def fit(
        self,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        groups: npt.ArrayLike | None = None,
        on_epoch: OnEpoch | None = None,
        checkpoint: Path | str | None = None,
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

        Raises
        ------
        ModelError
            If the input is unusable, the axis too short, or training diverges.
        ParamsError
            If a parameter is out of range.
        """
        config, settings = self.parsed_settings()
        x = check_spectra(X)
        self.classes_, index = check_labels(y, len(x))
        self.n_features_in_ = x.shape[1]
        seed, n_classes = int(self.random_state), len(self.classes_)
        train, validation = _split(index, groups, settings, seed)
        device = choose_device(self.device)
        if device.type == "cpu":
            keep_freed_memory()
        bf16 = _use_bf16(settings.precision, device, entry(self.model_name).model)
        self.device_, self.precision_ = str(device), "bf16" if bf16 else "float32"
        self.input_scale_ = 1.0 / root_mean_square(x if len(train) == len(x) else x[train])
        spectra = DeviceSpectra(x, device, scale=self.input_scale_)
        labels = torch.from_numpy(index).to(device)
        # The caller's random state stays untouched, and cuDNN picks reproducible algorithms.
        with (
            torch.random.fork_rng(devices=[device] if device.type == "cuda" else []),
            torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True),
        ):
            torch.manual_seed(derive_seed(seed, "weights"))
            network = build(self.model_name, config, self.n_features_in_, n_classes).to(device)
            self.history_ = train_network(
                network,
                Labelled(spectra, labels, n_classes, train, validation),
                settings,
                seed=seed,
                bf16=bf16,
                label=self.model_name,
                fingerprint=self._fingerprint(x, index, train),
                on_epoch=on_epoch,
                checkpoint=checkpoint,
            )
        self.network_: nn.Module = network
        return self

    def decision_scores(self, X: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Scores before the softmax, shape (n, n_classes), computed in float32."""
        spectra = self._on_device(X)
        self.network_.eval()
        scores = np.empty((len(spectra), len(self.classes_)))
        with torch.no_grad():
            for rows, batch in spectra.batches(PREDICT_BATCH):
                scores[rows] = self.network_(batch).double().cpu().numpy()
        return scores

    def predict_proba(self, X: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Class probabilities, shape (n, n_classes)."""
        scores = self.decision_scores(X)
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
        spectra = self._on_device(X)
        return mean_gradient(self.network_, spectra, len(self.classes_), of, PREDICT_BATCH)

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

    def _on_device(self, X: npt.ArrayLike) -> DeviceSpectra:
        if not hasattr(self, "network_"):
            raise ModelError(f"this {type(self).__name__} is not fitted yet; call fit first")
        x = check_spectra(X, self.n_features_in_)
        device = next(self.network_.parameters()).device
        # Each spectrum is used once: only what is in the right memory already stays there.
        resident = device.type == "cpu" and not isinstance(x, np.memmap)
        return DeviceSpectra(x, device, scale=self.input_scale_, resident=resident)

    def _fingerprint(self, x: Spectra, y: Rows, train: Rows) -> str:
        """Identity of a fit: a change of spectra, labels or parameters changes it."""
        params = self.get_params(deep=False)
        if params["schedule"] == "constant":
            del params["epochs"]  # more epochs than before are the same fit, gone on with
        digest = hashlib.sha256(json.dumps([self.model_name, params], sort_keys=True).encode())
        digest.update(str((x.shape, self.input_scale_)).encode())
        digest.update(y.tobytes() + train.tobytes())
        return digest.hexdigest()


def _split(
    y: Rows, groups: npt.ArrayLike | None, settings: TrainSettings, seed: int
) -> tuple[Rows, Rows]:
    everything = np.arange(len(y), dtype=np.int64)
    if not settings.early_stopping:
        return everything, everything[:0]
    if groups is None:
        raise ModelError(
            "early_stopping validates on groups that training does not see: pass "
            "fit(X, y, groups=tma), or set early_stopping to false"
        )
    folds = inner_folds(
        check_groups(groups, len(y)), y, settings.validation_folds, derive_seed(seed, "validation")
    )
    return folds[0]


def _use_bf16(precision: str, device: torch.device, model: type[nn.Module]) -> bool:
    if precision != "auto":
        return precision == "bf16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    pays = bool(getattr(model, "bf16_pays_on_cpu", False))
    # Measured: 149 against 76 spectra/s for residualnet with AMX, 6,400 bins, two cores.
    has_amx = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return pays and has_amx is not None and bool(has_amx())
