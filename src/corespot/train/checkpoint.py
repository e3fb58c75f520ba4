"""Fitted models as data: safetensors beside JSON, never a pickle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save_file

from corespot.axis import MzAxis
from corespot.errors import ModelError
from corespot.io.artifacts import as_json, read_json, whole_folder, write_json
from corespot.models.nested_lda import NestedLda
from corespot.models.registry import build, describe, entry
from corespot.models.roc_lda import RocLdaClassifier
from corespot.train.data import choose_device
from corespot.train.estimator import Estimator, make_estimator, setting_names
from corespot.train.network_classifier import NetworkClassifier

FORMAT_VERSION = 1
WEIGHTS, ABOUT = "model.safetensors", "model.json"
Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class LoadedModel:
    """A fitted model with all that is needed to apply it.

    Parameters
    ----------
    estimator : estimator
        Ready to predict.
    axis : MzAxis
        The m/z axis its spectra must be on.
    classes : tuple of str
        Class names, in the order of the columns.
    recipe : list
        Preprocessing steps that its spectra went through.
    about : mapping
        Content of ``model.json``.
    """

    estimator: Estimator
    axis: MzAxis
    classes: tuple[str, ...]
    recipe: list[Any]
    about: Mapping[str, Any]


def save_model(
    folder: Path | str,
    estimator: Estimator,
    *,
    axis: MzAxis,
    classes: Sequence[str],
    recipe: Sequence[Any],
) -> None:
    """Write a fitted estimator as ``model.safetensors`` and ``model.json``, whole or not at all.

    Parameters
    ----------
    folder : Path
        Where to; replaced if it is there.
    estimator : estimator
        Fitted.
    axis : MzAxis
        The m/z axis it was fitted on.
    classes : sequence of str
        Class names, in the order of the estimator's columns.
    recipe : sequence
        Preprocessing steps, JSON-able.

    Raises
    ------
    ModelError
        If the axis or the classes do not fit the estimator.
    """
    names = [str(name) for name in classes]
    if len(names) != len(estimator.classes_) or axis.n_bins != estimator.n_features_in_:
        raise ModelError(
            f"the model has {len(estimator.classes_)} classes and {estimator.n_features_in_} bins, "
            f"got {len(names)} class names and an axis of {axis.n_bins} bins"
        )
    model, arrays, fitted = _dissect(estimator)
    arrays["axis.mz"] = axis.mz
    params = estimator.get_params(deep=False)
    with whole_folder(folder) as part:
        content: dict[str, Any] = {
            "format_version": FORMAT_VERSION,
            "model": model,
            "settings": {key: params[key] for key in setting_names(model)},
            "seed": int(estimator.random_state),
            "classes": names,
            "labels": estimator.classes_.tolist(),
            "axis": {"kind": axis.kind, "n_bins": axis.n_bins, "fingerprint": axis.fingerprint},
            "recipe": list(recipe),
            "fitted": fitted,
            "history": estimator.history_,
            "model_size": {
                "n_parameters": estimator.n_parameters_,
                "receptive_field": _receptive_field(estimator, model),
            },
        }
        # Each file holds the digest of the other: neither classes, recipe nor weights can be
        # exchanged by themselves.
        save_file(
            {name: np.asarray(array, order="C") for name, array in arrays.items()},
            part / WEIGHTS,
            metadata={"about": _digest(content)},
        )
        content["sha256"] = hashlib.sha256((part / WEIGHTS).read_bytes()).hexdigest()
        write_json(part / ABOUT, content)


def _digest(about: Mapping[str, Any]) -> str:
    """SHA-256 of what model.json says, whatever its layout."""
    plain = {name: value for name, value in about.items() if name != "sha256"}
    text = json.dumps(as_json(plain), sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _written_with(content: bytes) -> str:
    """Digest of the model.json that belongs to these weights, from the safetensors header."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    return str((header.get("__metadata__") or {}).get("about", ""))


def load_model(folder: Path | str, *, device: str | None = "cpu") -> LoadedModel:
    """Read a model written by `save_model`; it predicts bit by bit the same on the same device.

    Parameters
    ----------
    folder : Path
        Folder of the model.
    device : str, optional
        Where its network goes; a model trained on a GPU loads on the CPU.

    Raises
    ------
    ModelError
        If a file is missing, of an unknown format version, damaged or does not fit the others.
    """
    home = Path(folder)
    for name in (WEIGHTS, ABOUT):
        if not (home / name).is_file():
            raise ModelError(f"{home}: {name} is missing, so this is not a complete model")
    about = read_json(home / ABOUT)
    version = about.get("format_version") if isinstance(about, dict) else None
    if version != FORMAT_VERSION:
        raise ModelError(
            f"{home / ABOUT}: model format {version!r} cannot be read, this version reads "
            f"{FORMAT_VERSION}; train again or use the version of corespot that wrote it"
        )
    content = (home / WEIGHTS).read_bytes()
    try:
        arrays = load_arrays(content)
        axis = MzAxis(arrays.pop("axis.mz"), about["axis"]["kind"])
        estimator = make_estimator(
            about["model"],
            about["settings"],
            seed=about["seed"],
            device=device,
        )
        estimator.classes_ = np.array(about["labels"])
        estimator.n_features_in_ = axis.n_bins
        estimator.history_ = about["history"]
        _assemble(estimator, arrays, about["fitted"], str(home / WEIGHTS), device)
        classes = tuple(about["classes"])
    except (KeyError, TypeError, ValueError, SafetensorError) as error:
        raise ModelError(f"{home} is damaged or incomplete: {error!r}") from None
    if hashlib.sha256(content).hexdigest() != about["sha256"]:
        raise ModelError(f"{home / WEIGHTS} is not the file model.json was written with (SHA-256)")
    if _written_with(content) != _digest(about):
        raise ModelError(
            f"{home / ABOUT} was changed after the model was saved; train again, or restore it"
        )
    if axis.fingerprint != about["axis"]["fingerprint"] or len(classes) != len(about["labels"]):
        raise ModelError(f"{home / ABOUT}: axis or classes do not belong to {WEIGHTS}")
    return LoadedModel(estimator, axis, classes, list(about["recipe"]), about)


def _receptive_field(estimator: Estimator, model: str) -> int | None:
    config_type = entry(model).config
    params = estimator.get_params(deep=False)
    config = config_type(**{name: params[name] for name in config_type.model_fields})
    field = describe(model, estimator.n_features_in_, len(estimator.classes_), config)
    return cast("int | None", field["receptive_field"])


def _dissect(estimator: Estimator) -> tuple[str, Arrays, dict[str, Any]]:
    """Name of the model, its arrays, and what else was fitted."""
    if isinstance(estimator, NetworkClassifier):
        state = estimator.network_.state_dict()
        fitted: dict[str, Any] = {
            "input_scale": estimator.input_scale_,
            "trained_on": estimator.device_,
            "precision": estimator.precision_,
        }
        arrays = {name: value.cpu().numpy() for name, value in state.items()}
        return estimator.model_name, arrays, fitted
    lda = estimator._lda
    fitted = {
        "chosen_k": estimator.chosen_k_,
        "k_grid": estimator.k_grid_,
        "inner_scores": [estimator.inner_scores_.get(k) for k in estimator.k_grid_],
        "ridge": lda.ridge,
    }
    arrays = {
        "bins": estimator.bins_,
        "centre": lda.centre,
        "scale": lda.scale,
        "factor": lda.factor,
        "whitened": lda.whitened,
    }
    return "roc_lda", arrays, fitted


def _assemble(
    estimator: Estimator,
    arrays: Arrays,
    fitted: Mapping[str, Any],
    where: str,
    device: str | None,
) -> None:
    """Give a new estimator what `_dissect` took from a fitted one."""
    n_bins, n_classes = estimator.n_features_in_, len(estimator.classes_)
    if isinstance(estimator, NetworkClassifier):
        config, _ = estimator.parsed_settings()
        network = build(estimator.model_name, config, n_bins, n_classes)
        expected = {name: tuple(value.shape) for name, value in network.state_dict().items()}
        _require_shapes(arrays, expected, where)
        network.load_state_dict({name: torch.from_numpy(v) for name, v in arrays.items()})
        estimator.network_ = network.to(choose_device(device)).eval()
        estimator.input_scale_ = float(fitted["input_scale"])
        estimator.device_, estimator.precision_ = fitted["trained_on"], fitted["precision"]
        return
    assert isinstance(estimator, RocLdaClassifier)
    grid = [int(k) for k in fitted["k_grid"]]
    most = grid[-1]
    expected = {"bins": (most,), "centre": (most,), "scale": (most,)}
    expected |= {"factor": (most, most), "whitened": (n_classes, most)}
    _require_shapes(arrays, expected, where)
    if arrays["bins"].min() < 0 or arrays["bins"].max() >= n_bins or fitted["chosen_k"] not in grid:
        raise ModelError(f"{where}: bins or K lie outside the axis of {n_bins} bins")
    estimator.bins_, estimator.k_grid_ = arrays["bins"], grid
    estimator.chosen_k_ = int(fitted["chosen_k"])
    scores = zip(grid, fitted["inner_scores"], strict=True)
    estimator.inner_scores_ = {k: float(score) for k, score in scores if score is not None}
    estimator.ridge_ = float(fitted["ridge"])
    estimator._lda = NestedLda(
        centre=arrays["centre"],
        scale=arrays["scale"],
        factor=arrays["factor"],
        whitened=arrays["whitened"],
        ridge=estimator.ridge_,
    )


def _require_shapes(arrays: Arrays, expected: Mapping[str, tuple[int, ...]], where: str) -> None:
    faults = [f"{name} is missing" for name in expected if name not in arrays]
    faults += [f"{name} is not part of this model" for name in arrays if name not in expected]
    faults += [
        f"{name} has shape {tuple(arrays[name].shape)}, expected {shape}"
        for name, shape in expected.items()
        if name in arrays and tuple(arrays[name].shape) != shape
    ]
    if faults:
        raise ModelError(f"{where}: " + "; ".join(faults[:5]))
