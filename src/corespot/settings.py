"""Typed, frozen parameters: an unknown key is an error with a suggestion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from corespot.errors import ParamsError, suggestion


class Settings(BaseModel):
    """Base of every parameter record: immutable, closed, strictly validated."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    @classmethod
    def parse(cls, mapping: Mapping[str, Any] | None, where: str) -> Self:
        """Validate `mapping`, naming every fault at once.

        Parameters
        ----------
        mapping : mapping or None
            Raw values, e.g. a section of ``params.yaml``; ``None`` means all defaults.
        where : str
            Name of the section for messages (``"params.yaml: folds"``).

        Raises
        ------
        ParamsError
            If a key is unknown (with a suggestion), missing, of the wrong type or out of range.
        """
        if mapping is not None and not isinstance(mapping, Mapping):
            raise ParamsError(f"{where}: expected a mapping of names to values, got {mapping!r}")
        try:
            return cls.model_validate(dict(mapping or {}))
        except ValidationError as error:
            lines = [_fault(cls, where, dict(fault)) for fault in error.errors()]
            raise ParamsError("\n".join(lines)) from None


def _fault(cls: type[BaseModel], where: str, fault: dict[str, Any]) -> str:
    location = [str(part) for part in fault["loc"]]
    path = ".".join([where, *location]) if location else where
    if fault["type"] == "extra_forbidden":
        known = _known_keys(cls, location[:-1])
        return f"{path}: unknown key {location[-1]!r}; {suggestion(location[-1], known)}"
    if fault["type"] == "missing":
        return f"{path}: this key is required and missing"
    return f"{path}: {fault['msg'].removeprefix('Value error, ')}, got {fault.get('input')!r}"


def _known_keys(cls: type[BaseModel], location: list[str]) -> list[str]:
    """Field names of the record at `location` inside `cls`, as far as types tell."""
    current: Any = cls
    for part in location:
        if get_origin(current) is dict:
            current = get_args(current)[1]
            continue
        fields = getattr(current, "model_fields", {})
        if part not in fields:
            break
        current = fields[part].annotation
        # What may be left out is looked at as what it is when given.
        given = [kind for kind in get_args(current) if kind is not type(None)]
        if len(given) == 1 and type(None) in get_args(current):
            current = given[0]
    return list(getattr(current, "model_fields", {}))
