"""Progress bars with a rate and a time left, quiet when nobody is watching."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import Any, TypeVar

Item = TypeVar("Item")

_off = False


def progress_off() -> None:
    """Draw no bars in this process, e.g. because several share a terminal."""
    global _off
    _off = True


def track(
    items: Iterable[Item],
    *,
    label: str,
    total: int | None = None,
    unit: str = "it",
    scale: int | Callable[[Item], int] = 1,
) -> Iterator[Item]:
    """Yield `items` behind a progress bar on standard error.

    Parameters
    ----------
    items : iterable
        What is worked through.
    label : str
        What is being done, e.g. ``"preprocess"``.
    total : int, optional
        Number of units in all; `len(items)` times `scale` when both are numbers.
    unit : str
        Name of one unit (``"spectra"``).
    scale : int or callable
        Units each item stands for, e.g. the spectra in a block, or how to tell from the item.

    Notes
    -----
    Nothing is drawn unless standard error is a terminal.
    """
    if _off or not sys.stderr.isatty():
        yield from items
        return
    from tqdm import tqdm

    if total is None and isinstance(items, Sized) and isinstance(scale, int):
        total = len(items) * scale
    with tqdm(total=total, desc=label, unit=f" {unit}", leave=False) as bar:
        for item in items:
            yield item
            units = scale if isinstance(scale, int) else scale(item)
            bar.update(units if total is None else min(units, max(total - bar.n, 0)))


class Bar:
    """A bar that is told how far the work is, for work that others do; quiet as `track` is.

    Parameters
    ----------
    label : str
        What is being done.
    total : int
        Number of units in all.
    unit : str
        Name of one unit.
    """

    def __init__(self, label: str, *, total: int, unit: str) -> None:
        self._label, self._total, self._unit = label, total, unit
        self._bar: Any = None

    def __enter__(self) -> Bar:
        if not _off and sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(
                total=self._total, desc=self._label, unit=f" {self._unit}", leave=False
            )
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, done: int) -> None:
        """Draw the bar with so many units done."""
        if self._bar is None:
            return
        if self._bar.n == 0 and done:
            # What was there before the start says nothing of the rate.
            self._bar.initial = done
        self._bar.n = done
        self._bar.refresh()
