"""What a saved model must hold, checked before a number of it is used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

from corespot.errors import ModelError


def require_shapes(
    arrays: Mapping[str, npt.NDArray[Any]], expected: Mapping[str, tuple[int, ...]], where: str
) -> None:
    """Refuse arrays that are missing, unknown or of another shape.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        What a file holds.
    expected : mapping of str to tuple of int
        Shape of every array of the model.
    where : str
        The file.

    Raises
    ------
    ModelError
        Naming the first five faults.
    """
    faults = [f"{name} is missing" for name in expected if name not in arrays]
    faults += [f"{name} is not part of this model" for name in arrays if name not in expected]
    faults += [
        f"{name} has shape {tuple(arrays[name].shape)}, expected {shape}"
        for name, shape in expected.items()
        if name in arrays and tuple(arrays[name].shape) != shape
    ]
    if faults:
        raise ModelError(f"{where}: " + "; ".join(faults[:5]))
