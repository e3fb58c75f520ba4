"""Progress bars with a rate and a time left, quiet when nobody is watching."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

Item = TypeVar("Item")


def track(
    items: Iterable[Item], *, label: str, total: int | None = None, unit: str = "it", scale: int = 1
) -> Iterator[Item]:
    """Yield `items` behind a progress bar on standard error.

    Parameters
    ----------
    items : iterable
        What is worked through.
    label : str
        What is being done, e.g. ``"preprocess"``.
    total : int, optional
        Number of units in all; `len(items)` times `scale` when it has a length.
    unit : str
        Name of one unit (``"spectra"``).
    scale : int
        Units each item stands for, e.g. the spectra in a block.

    Notes
    -----
    Nothing is drawn unless standard error is a terminal.
    """
    if not sys.stderr.isatty():
        yield from items
        return
    from tqdm import tqdm

    if total is None and isinstance(items, Sized):
        total = len(items) * scale
    with tqdm(total=total, desc=label, unit=f" {unit}", leave=False) as bar:
        for item in items:
            yield item
            bar.update(scale if total is None else min(scale, max(total - bar.n, 0)))
