"""Search spaces in Optuna's terms, and the published setting in theirs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import optuna

from corespot.models.search_space import Choice, Range, SearchSpace, override_space
from corespot.train.model_settings import default_settings, search_space


def space_of(model: str, overrides: Mapping[str, Any], where: str) -> dict[str, Range | Choice]:
    """The search space of a model with what ``params.yaml`` says instead.

    Raises
    ------
    ParamsError
        If an override names no setting of the model, or is no range; or if nothing is left.
    """
    return override_space(search_space(model), overrides, default_settings(model), where)


def suggest(trial: optuna.Trial, space: SearchSpace) -> dict[str, Any]:
    """Values of every setting that the sampler proposes, or that were enqueued."""
    found = {}
    for name, allowed in space.items():
        found[name] = _decoded(_suggest(trial, name, allowed), allowed)
    return found


def encoded(values: Mapping[str, Any], space: SearchSpace) -> dict[str, Any]:
    """Values as Optuna stores them: lists are told by their JSON text."""
    return {
        name: _category(values[name]) if isinstance(space[name], Choice) else values[name]
        for name in values
    }


def decoded(params: Mapping[str, Any], space: SearchSpace) -> dict[str, Any]:
    """Settings from the parameters of a stored trial."""
    return {name: _decoded(value, space[name]) for name, value in params.items()}


def published(model: str, space: SearchSpace) -> tuple[dict[str, Any], dict[str, Any]]:
    """The published value of every setting of a space, and what had to be changed.

    Parameters
    ----------
    model : str
        Registered name; its defaults are the published settings.
    space : mapping
        What may vary. A published value that lies outside of it gives way to the nearest inside.

    Returns
    -------
    values : dict
        A value for every setting of the space.
    adapted : dict
        The published value of those settings where it lies outside.
    """
    return _inside(default_settings(model), space)


def configured(
    model: str, settings: Mapping[str, Any], space: SearchSpace
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The same of the settings that ``params.yaml`` trains with: its own, else the published."""
    return _inside({**default_settings(model), **settings}, space)


def _inside(wanted: Mapping[str, Any], space: SearchSpace) -> tuple[dict[str, Any], dict[str, Any]]:
    values = {name: allowed.nearest(wanted[name]) for name, allowed in space.items()}
    adapted = {
        name: wanted[name] for name, allowed in space.items() if not allowed.holds(wanted[name])
    }
    return values, adapted


def _suggest(trial: optuna.Trial, name: str, allowed: Range | Choice) -> Any:
    if isinstance(allowed, Choice):
        return trial.suggest_categorical(name, [_category(value) for value in allowed.values])
    if allowed.whole:
        low, high = int(allowed.low), int(allowed.high)
        return trial.suggest_int(name, low, high, step=allowed.step, log=allowed.log)
    return trial.suggest_float(name, allowed.low, allowed.high, log=allowed.log)


def _category(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, tuple | list) else value


def _decoded(value: Any, allowed: Range | Choice) -> Any:
    if not isinstance(allowed, Choice):
        return value
    return next(one for one in allowed.values if _category(one) == value)
