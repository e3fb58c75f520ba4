"""Independent, reproducible random streams derived from one seed and a path of names."""

from __future__ import annotations

import hashlib

import numpy as np


def derive_seed(seed: int, *names: object) -> int:
    """Derive a 63-bit seed for the stream called `names`.

    The result depends on `seed` and on the text of `names` only, so streams stay the same when
    others are added, and equal on every platform.

    Parameters
    ----------
    seed : int
        The run's seed.
    names : object
        Path of the stream, e.g. ``("folds", "LP", 0)``.

    Returns
    -------
    int
        Seed in [0, 2**63).
    """
    path = "\x1f".join([str(int(seed)), *(str(name) for name in names)])
    digest = hashlib.sha256(path.encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(seed: int, *names: object) -> np.random.Generator:
    """Random generator of the stream called `names`; see `derive_seed`."""
    return np.random.default_rng(derive_seed(seed, *names))
