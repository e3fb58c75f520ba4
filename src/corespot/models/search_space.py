"""What may be tuned of a model: ranges and choices, typed, independent of who searches them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from corespot.errors import ParamsError, suggestion

Value: TypeAlias = float | int | str | bool | None
#: Values between which a choice is made, in YAML a list.
Values: TypeAlias = Value | tuple[int, ...]


@dataclass(frozen=True)
class Range:
    """All numbers between two limits, both included.

    Parameters
    ----------
    low, high : float or int
        The limits.
    log : bool
        Whether factors count, not differences: as many tries from 1 to 10 as from 10 to 100.
    whole : bool
        Whether only whole numbers are meant.
    step : int
        Distance between whole numbers, counted from `low`: a step of 2 keeps odd numbers odd.

    Raises
    ------
    ParamsError
        If the limits are no range.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False
    step: int = 1

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ParamsError(f"expected low < high, got low {self.low}, high {self.high}")
        if self.log and self.low <= 0:
            raise ParamsError(f"a logarithmic range starts above 0, got low {self.low}")
        if self.whole and not (float(self.low).is_integer() and float(self.high).is_integer()):
            raise ParamsError(f"expected whole limits, got low {self.low}, high {self.high}")
        if self.step < 1 or (self.step > 1 and (self.log or not self.whole)):
            raise ParamsError(
                f"step is for whole numbers that are not on a logarithmic scale, got {self.step}"
            )

    def nearest(self, value: Any) -> float | int:
        """The value of this range that is nearest to `value`."""
        clipped = min(max(float(value), self.low), self.high)
        if not self.whole:
            return clipped
        steps = round((clipped - self.low) / self.step)
        found = self.low + steps * self.step
        return int(found if found <= self.high else found - self.step)

    def holds(self, value: Any) -> bool:
        """Whether `value` lies in this range."""
        plain = isinstance(value, int | float) and not isinstance(value, bool)
        return plain and math.isclose(self.nearest(value), value)


@dataclass(frozen=True)
class Choice:
    """One of several values.

    Parameters
    ----------
    values : tuple
        Numbers, names, booleans, null, or lists of whole numbers; two or more different ones.

    Raises
    ------
    ParamsError
        If there are fewer than two.
    """

    values: tuple[Values, ...]

    def __post_init__(self) -> None:
        if len(self.values) < 2 or len({repr(value) for value in self.values}) < len(self.values):
            raise ParamsError(f"expected two or more different values, got {list(self.values)}")

    def nearest(self, value: Any) -> Values:
        """`value` if it is one of them, else the nearest number, else the first."""
        if self.holds(value):
            return self.values[self.values.index(_hashable(value))]
        numbers = [v for v in self.values if isinstance(v, int | float) and not isinstance(v, bool)]
        if numbers and isinstance(value, int | float):
            return min(numbers, key=lambda number: abs(number - value))
        return self.values[0]

    def holds(self, value: Any) -> bool:
        """Whether `value` is one of them."""
        given = _hashable(value)
        return any(given == one and type(given) is type(one) for one in self.values)


def _hashable(value: Any) -> Any:
    """Lists, as YAML has them, as the tuples that settings hold."""
    return tuple(value) if isinstance(value, list) else value


SearchSpace: TypeAlias = Mapping[str, Range | Choice]

_RANGE_KEYS = ("low", "high", "log", "whole", "step")


def override_space(
    space: SearchSpace, overrides: Mapping[str, Any], defaults: Mapping[str, Any], where: str
) -> dict[str, Range | Choice]:
    """The space with what ``params.yaml`` says instead.

    Parameters
    ----------
    space : mapping of str to Range or Choice
        The model's own.
    overrides : mapping
        Setting to a list of values, a mapping with ``low`` and ``high`` (``log``, ``whole`` and
        ``step`` as in the model's space unless given), or null: not tuned.
    defaults : mapping
        Every setting that the model has, with its default: whether numbers are whole is told by it.
    where : str
        Where the overrides stand, for messages.

    Raises
    ------
    ParamsError
        If a setting is unknown or its range is none.
    """
    result = dict(space)
    for name, given in overrides.items():
        at = f"{where}.{name}"
        if name not in defaults:
            hint = suggestion(name, list(defaults))
            raise ParamsError(f"{where}: unknown setting {name!r}; {hint}")
        if given is None:
            result.pop(name, None)
            continue
        try:
            result[name] = _parsed(given, space.get(name), defaults[name])
        except (ParamsError, TypeError) as error:
            raise ParamsError(f"{at}: {error}") from None
    return result


def _parsed(given: Any, former: Range | Choice | None, default: Any) -> Range | Choice:
    if isinstance(given, list | tuple):
        return Choice(tuple(_hashable(v) for v in given))
    if not isinstance(given, Mapping) or not {"low", "high"} <= set(given):
        raise ParamsError(
            f"expected a list of values, or {{low: …, high: …}}, or null (not tuned), got {given!r}"
        )
    for key in given:
        if key not in _RANGE_KEYS:
            raise ParamsError(f"unknown key {key!r}; {suggestion(str(key), list(_RANGE_KEYS))}")
    same = former if isinstance(former, Range) else None
    ints = isinstance(given["low"], int) and isinstance(given["high"], int)
    known = isinstance(default, int | float) and not isinstance(default, bool)
    whole = isinstance(default, int) if known else ints
    defaults = {
        "log": same.log if same else False,
        "whole": same.whole if same else whole,
        "step": same.step if same else 1,
    }
    return Range(**{**defaults, **given})
