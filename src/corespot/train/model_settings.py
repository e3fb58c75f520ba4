"""Settings of a model and of its training, known and checked without building it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from corespot.errors import ParamsError, suggestion
from corespot.models.registry import ModelEntry, entry
from corespot.models.search_space import Choice, Range
from corespot.settings import Settings
from corespot.train.settings import LOOP_SPACE, TrainSettings


def loop_settings(found: ModelEntry) -> TrainSettings:
    """Defaults of the training loop for a network."""
    return TrainSettings.parse(dict(found.training), f"training of {found.name}")


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


def checked_settings(
    name: str, settings: Mapping[str, Any] | None = None, *, where: str | None = None
) -> dict[str, Any]:
    """The settings that were given for a model, as its parameters make them.

    Parameters
    ----------
    name : str
        A registered model.
    settings : mapping, optional
        Its own and the training loop's parameters, any of them.
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
    return checked


def _given(kind: type[Settings], values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The values that were given, as the settings make them."""
    return kind.parse(dict(values), where).model_dump(include=set(values))
