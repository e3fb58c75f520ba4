"""A mitigated classifier as data: the model as always, and its changes of spectra beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from corespot.errors import ModelError
from corespot.io.artifacts import read_arrays, whole_folder, write_arrays, write_json
from corespot.mitigate.artifact_projection import Projection
from corespot.mitigate.mask_off_peak import Mask
from corespot.mitigate.mitigated import MitigatedClassifier
from corespot.mitigate.peak_list import PeakAreas
from corespot.mitigate.requested import make_ways
from corespot.mitigate.way import Change
from corespot.train.checkpoint import LoadedModel, load_model, read_about, save_model

FORMAT_VERSION = 1
#: Folder of the model itself, file of its changes, and what is to be known of them.
MODEL, CHANGES, ABOUT = "model", "changes.npz", "mitigation.json"

_KINDS: dict[str, Any] = {kind.__name__: kind for kind in (Mask, PeakAreas, Projection)}
Arrays = dict[str, npt.NDArray[Any]]


def save_mitigated(
    folder: Path | str,
    estimator: MitigatedClassifier,
    *,
    classes: Sequence[str],
    recipe: Sequence[Any],
) -> None:
    """Write a fitted classifier, whole or not at all.

    The model lies in a folder of its own inside, so that nobody takes it for one of raw spectra.

    Parameters
    ----------
    folder : Path
        Where to; replaced if it is there.
    estimator : MitigatedClassifier
        Fitted.
    classes : sequence of str
        Class names, in the order of the estimator's columns.
    recipe : sequence
        Preprocessing steps, JSON-able.

    Raises
    ------
    ModelError
        If a way corrects whole TMAs: such a model cannot be applied to single spectra.
    """
    for way in estimator.ways:
        if way.batches() is not None:
            raise ModelError(
                f"a model trained with {way.name} is applied to corrected TMAs, never to single "
                "spectra, and so is not saved; use another way for a model that shall be applied"
            )
    arrays: Arrays = {}
    for index, change in enumerate(estimator.changes_):
        arrays |= _arrays_of(change, f"{index}.")
    with whole_folder(folder) as part:
        save_model(
            part / MODEL, estimator.estimator, axis=estimator.axis, classes=classes, recipe=recipe
        )
        write_arrays(part / CHANGES, arrays)
        content = {
            "format_version": FORMAT_VERSION,
            "ways": [way.name for way in estimator.ways],
            "settings": {way.name: way.settings.model_dump(mode="json") for way in estimator.ways},
            "changes": [type(change).__name__ for change in estimator.changes_],
            "seed": int(estimator.random_state),
            "sha256": _digests(part),
        }
        write_json(part / ABOUT, content)


def load_mitigated(folder: Path | str, *, device: str | None = "cpu") -> LoadedModel:
    """Read what `save_mitigated` wrote; its estimator takes raw spectra.

    Raises
    ------
    ModelError
        If a file is missing, of an unknown format version, damaged or does not fit the others.
    """
    home = Path(folder)
    about = read_about(home / ABOUT, beside=CHANGES, version=FORMAT_VERSION)
    inner = load_model(home / MODEL, device=device)
    if about.get("sha256") != _digests(home):
        raise ModelError(
            f"{home}: the model or its changes are not those that {ABOUT} was written with; train "
            "again, or restore them"
        )
    arrays = read_arrays(home / CHANGES)
    try:
        ways = make_ways(about["ways"], about["settings"], where=str(home / ABOUT))
        estimator = MitigatedClassifier(
            inner.estimator, ways, inner.axis, random_state=int(about["seed"])
        )
        estimator.changes_ = [
            _change_of(_KINDS[kind], arrays, f"{index}.")
            for index, kind in enumerate(about["changes"])
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{home} is damaged or incomplete: {error!r}") from None
    estimator.classes_ = inner.estimator.classes_
    estimator.n_features_in_ = inner.axis.n_bins
    return LoadedModel(estimator, inner.axis, inner.classes, inner.recipe, inner.about)


def _arrays_of(change: Change, prefix: str) -> Arrays:
    """Arrays of a change by name of the field; those of a change inside it by both names."""
    found: Arrays = {}
    assert is_dataclass(change)
    for field in fields(change):
        value = getattr(change, field.name)
        if is_dataclass(value):
            found |= _arrays_of(value, f"{prefix}{field.name}.")
        elif value is not None:
            found[f"{prefix}{field.name}"] = np.asarray(value)
    return found


def _change_of(kind: Any, arrays: Mapping[str, npt.NDArray[Any]], prefix: str) -> Change:
    if kind is Projection:
        own = {name: arrays[f"{prefix}{name}"] for name in ("directions", "pulls", "mean")}
        masked = f"{prefix}mask.masked" in arrays
        mask = _change_of(Mask, arrays, f"{prefix}mask.") if masked else None
        assert mask is None or isinstance(mask, Mask)
        return Projection(**own, mask=mask)
    made: Change = kind(**{field.name: arrays[f"{prefix}{field.name}"] for field in fields(kind)})
    return made


def _digests(home: Path) -> dict[str, str]:
    """SHA-256 of the changes, and of the model's description, which holds that of its weights."""
    return {
        name: hashlib.sha256((home / name).read_bytes()).hexdigest()
        for name in (CHANGES, f"{MODEL}/model.json")
    }
