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
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save_file

from corespot.axis import MzAxis
from corespot.errors import ModelError
from corespot.io.artifacts import as_json, read_json, whole_folder, write_json
from corespot.models.registry import describe, entry
from corespot.train.estimator import Estimator, make_estimator, model_name
from corespot.train.model_settings import setting_names

FORMAT_VERSION = 2
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
    model = model_name(estimator)
    arrays, fitted = estimator.to_arrays()
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


def read_about(path: Path, *, beside: str, version: int) -> dict[str, Any]:
    """What the JSON of a stored model says.

    Parameters
    ----------
    path : Path
        The JSON.
    beside : str
        File that belongs to it.
    version : int
        Format that is read.

    Raises
    ------
    ModelError
        If one of the two is missing, or it is of another format.
    """
    for name in (beside, path.name):
        if not (path.parent / name).is_file():
            raise ModelError(f"{path.parent}: {name} is missing, so this is not a complete model")
    about = read_json(path)
    found = about.get("format_version") if isinstance(about, dict) else None
    if found != version:
        raise ModelError(
            f"{path}: model format {found!r} cannot be read, this version reads "
            f"{version}; train again or use the version of corespot that wrote it"
        )
    return dict(about)


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
    about = read_about(home / ABOUT, beside=WEIGHTS, version=FORMAT_VERSION)
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
        estimator.from_arrays(arrays, about["fitted"], str(home / WEIGHTS))
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
