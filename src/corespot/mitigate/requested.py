"""Ways as they are asked for: names in order, each with its settings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from corespot.errors import ParamsError, suggestion
from corespot.mitigate.way import Way, way_type, why_not_for


def make_ways(
    names: str | Sequence[str],
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    model: str | None = None,
    where: str = "mitigate",
) -> tuple[Way, ...]:
    """Make the ways that are asked for.

    Parameters
    ----------
    names : str or sequence of str
        Names of ways; changes of spectra follow each other in this order. None of them is none.
    settings : mapping of str to mapping, optional
        Settings by name of the way; defaults for those left out.
    model : str, optional
        The model they are for.
    where : str
        Where this stands, for messages.

    Raises
    ------
    ParamsError
        If a way is unknown, named twice, or not for the model, or a setting is wrong.
    """
    listed = (names,) if isinstance(names, str) else tuple(names)
    given = dict(settings or {})
    for name in listed:
        way_type(name)
        if listed.count(name) > 1:
            raise ParamsError(f"{where}: {name} is named twice; name each way once")
        reason = None if model is None else why_not_for(name, model)
        if reason is not None:
            raise ParamsError(f"{where}: {reason.reason}")
    for name in given:
        if name not in listed:
            raise ParamsError(
                f"{where}: settings of {name!r}, which is not among the ways asked for; "
                f"{suggestion(name, listed)}"
            )
    kinds = {name: way_type(name) for name in listed}
    return tuple(
        kind(kind.settings_type.parse(given.get(name), f"{where}.{name}"))
        for name, kind in kinds.items()
    )


def read_settings(given: Iterable[str], where: str = "--set") -> dict[str, dict[str, Any]]:
    """Settings by way from ``way.setting=value``, as they are typed at a command line.

    Parameters
    ----------
    given : iterable of str
        Values are JSON (``1e-3``, ``true``, ``null``); what is none is text.
    where : str
        Where they stand, for messages.

    Raises
    ------
    ParamsError
        If one is not of this form, or a setting is given twice.
    """
    found: dict[str, dict[str, Any]] = {}
    for one in given:
        named, equals, text = one.partition("=")
        way, dot, setting = named.strip().partition(".")
        if not (equals and dot and way and setting):
            raise ParamsError(
                f"{where} {one!r}: expected way.setting=value, such as "
                "artifact_projection.ridge=0.01"
            )
        if setting in found.get(way, {}):
            raise ParamsError(f"{where}: {way}.{setting} is given twice; give it once")
        try:
            value = json.loads(text)
        except json.JSONDecodeError:
            value = text.strip()
        found.setdefault(way, {})[setting] = value
    return found
