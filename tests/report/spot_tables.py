"""A small cohort with predictions, for figures of single spots."""

from __future__ import annotations

import numpy as np
import pandas as pd


def labelled_spots(classes=("AD", "SQ"), *, n_tma=2, n_cores=3, radius=2):
    """Round cores on one grid a TMA; class of a core by its number."""
    side = range(-radius, radius + 1)
    disc = [(dx, dy) for dx in side for dy in side if dx * dx + dy * dy <= radius * radius]
    table = pd.DataFrame(
        [
            {
                "file": f"TMA{tma + 1}.imzML",
                "x": 10 + core * (2 * radius + 3) + dx,
                "y": 5 + dy,
                "core": f"c{tma}{core}",
                "tma": f"TMA{tma + 1}",
                "patient": f"p{tma}{core}",
                "class": classes[core % len(classes)],
            }
            for tma in range(n_tma)
            for core in range(n_cores)
            for dx, dy in disc
        ]
    )
    table.insert(0, "row", np.arange(len(table)) + 100)
    return table


def predictions_of(labels, classes=("AD", "SQ"), *, repeats=2, seed=0):
    """Out-of-fold probabilities that are mostly right."""
    rng = np.random.default_rng(seed)
    y = labels["class"].map({name: at for at, name in enumerate(classes)}).to_numpy()
    parts = []
    for repeat in range(repeats):
        scores = rng.normal(size=(len(y), len(classes)))
        scores[np.arange(len(y)), y] += 1.5
        p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        part = pd.DataFrame({"row": labels["row"], "repeat": repeat, "fold": 0, "y": y})
        parts.append(part.assign(**{f"prob_{name}": p[:, at] for at, name in enumerate(classes)}))
    return pd.concat(parts, ignore_index=True)
