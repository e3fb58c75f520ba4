"""Draw how CompSegNet segments synthetic cores of which it knew one label each.

    python docs/images/segmented_cores.py segmented_cores.html

Two TMAs of sixteen cores: half of them cancer, with one or two tumour regions that take a fifth to
all of the core, half free of it. The network is trained on one TMA and segments the other.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.cohort.positions import SpotPositions
from corespot.report.spot_table import spot_table
from corespot.report.tissue_figures import tissue_maps
from corespot.train.estimator import CompSegNetClassifier

SIDE, N_BINS, PER_TMA = 13, 60, 16
USUAL = np.random.default_rng(1).gamma(2.0, size=N_BINS)


def tma(name: str, rng: np.random.Generator) -> tuple[pd.DataFrame, npt.NDArray[np.float32]]:
    """Spot table with truth, and spectra: six of sixty peaks differ between tumour and stroma."""
    y, x = (each.ravel() for each in np.mgrid[:SIDE, :SIDE])
    usual = USUAL * np.exp(0.1 * rng.normal(size=N_BINS))
    rows, spectra = [], []
    for core in range(PER_TMA):
        disc = np.hypot(x - SIDE // 2, y - SIDE // 2) < rng.uniform(4.5, 6.4)
        tumour = np.zeros(len(x), dtype=bool)
        for _ in range(rng.integers(1, 3) if core % 2 == 0 else 0):
            centre, radius = rng.uniform(2, SIDE - 2, size=2), rng.uniform(2.0, 6.0)
            tumour |= np.hypot(x - centre[0], y - centre[1]) < radius
        if core % 2 == 0 and not (tumour & disc).any():
            tumour = disc.copy()
        heights = usual * np.exp(0.35 * rng.normal(size=(len(x), N_BINS)))
        heights[:, :3] *= np.where(tumour, 1.8, 1.0)[:, None]
        heights[:, 3:6] *= np.where(tumour, 1.0, 1.8)[:, None]
        left, top = core % 4 * (SIDE + 2), core // 4 * (SIDE + 2)
        here = pd.DataFrame(
            {
                "file": f"{name}.imzML",
                "tma": name,
                "core": f"{name}-{core:02d}",
                "x": x + left,
                "y": y + top,
                "class": "cancer" if core % 2 == 0 else "normal",
                "truth": np.where(tumour, "cancer", "normal"),
            }
        )
        rows.append(here[disc])
        spectra.append(heights[disc])
    every = np.concatenate(spectra)
    every /= every.sum(axis=1, keepdims=True)
    return pd.concat(rows, ignore_index=True), every.astype(np.float32)


def main(out: str) -> None:
    """Train on each TMA, segment the other, draw both."""
    rng = np.random.default_rng(2018)
    parts = [tma("TMA1", rng), tma("TMA2", rng)]
    labels = pd.concat([seen for seen, _ in parts], ignore_index=True)
    labels = labels.assign(row=np.arange(len(labels)), patient=labels["core"])
    predictions = []
    for (seen, spectra), (other, unseen) in (parts, parts[::-1]):
        model: Any = CompSegNetClassifier(random_state=1)
        model.fit(spectra, seen["class"].to_numpy(dtype=str), positions=SpotPositions.of(seen))
        found = model.predict_proba(unseen, positions=SpotPositions.of(other))
        rows = labels.loc[labels["tma"] == other["tma"].iloc[0], "row"]
        table = pd.DataFrame({"row": rows.to_numpy(), "repeat": 0, "fold": 0})
        predictions.append(table.assign(prob_cancer=found[:, 0], prob_normal=found[:, 1]))
    table = spot_table(pd.concat(predictions, ignore_index=True), labels, ("cancer", "normal"))
    right = ~table["wrong"]
    print(f"balanced accuracy of spots: {right.groupby(table['truth']).mean().mean():.3f}")
    title = "CompSegNet, trained on one label a core"
    tissue_maps(table, ("cancer", "normal"), title=title).write_html(out)


if __name__ == "__main__":
    main(sys.argv[1])
