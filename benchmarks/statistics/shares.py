"""What the audit asks of a model and of spectra: shares of the class gap, nuisance features.

    python -m benchmarks.statistics.shares [--quick]

Shares put every held-out spot to the model once as it is and once for every part of the class gap,
in batches; the peer asks spectrum by spectrum, before and after. Nuisance features are those of the
negative controls, which took most of an audit; the peer is the same in numpy.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import corespot  # noqa: F401 - before torch, whose idle threads shall wait and not spin

# isort: split
import numpy as np
from benchmarks.side_by_side import Row, run, side_by_side

from corespot.audit.indicators.nuisance_features import nuisance_features
from corespot.audit.shares.artifact_share import artifact_share
from corespot.audit.shares.changed_spectra import log_odds
from corespot.audit.shares.mass_rule import FORBIDDEN_FROM, mass_rule_distance
from corespot.audit.shares.split_gap import split_gap
from corespot.axis import MzAxis
from corespot.train.estimator import make_estimator
from corespot.units import PROTON_DA

N_SPOTS, N_BINS = 400, 27_286
_CLASSES = ("lung", "pancreas")


def spectra(n_spots: int) -> Any:
    """A decaying baseline with peaks near every whole mass, spots of two classes."""
    rng = np.random.default_rng(0)
    mz = np.linspace(600.0, 3200.0, N_BINS)
    shape = np.exp(-mz / 900) * (1 + 9 * np.exp(-((((mz - 1.0) / 1.000495) % 1 - 0.4) ** 2) / 0.01))
    x = shape * rng.gamma(4.0, 0.25, size=(n_spots, N_BINS))
    y = np.arange(n_spots) % 2
    x[y == 1] *= 1 + 0.2 * np.sin(mz / 50)
    return x.astype(np.float32), y, MzAxis(mz, "linear")


def in_numpy(x: Any, axis: MzAxis) -> Any:
    """The nuisance features, range by range, percentiles by numpy."""
    bounds = np.searchsorted(axis.mz, np.linspace(axis.mz[0], axis.mz[-1], 5))
    bounds[-1] = axis.n_bins
    columns = []
    for start, stop in pairwise(bounds):
        part, mz = x[:, start:stop], axis.mz[start:stop]
        phase = 2 * np.pi * (mz - PROTON_DA) / 1.000495
        off = mass_rule_distance(mz) > FORBIDDEN_FROM
        readings = np.stack([np.cos(phase), np.sin(phase), off * (off.size / off.sum())])
        cosine, sine, forbidden = (part @ readings.astype(np.float32).T).T
        total, strength = part.sum(axis=1), np.hypot(cosine, sine)
        rough = np.abs(np.diff(part, 2, axis=1)).mean(axis=1) * off.size
        some, at = part[:, :: off.size // 1024], mz[:: off.size // 1024]
        windows = np.array_split(np.arange(at.size), round((at[-1] - at[0]) / 50))
        low = np.mean([np.percentile(some[:, each], 10, axis=1) for each in windows], axis=0)
        columns += [cosine / strength, sine / strength, strength / total]
        columns += [rough / total, forbidden / total, low * off.size / total]
    return np.stack(columns, axis=1)


def rows(quick: bool) -> list[Row]:
    """Shares of two models, and the features of a thousand spectra."""
    x, y, axis = spectra(64 if quick else N_SPOTS)
    patients = np.char.add("p", (np.arange(len(x)) // 2 % 16).astype(str))
    split = split_gap(x, y, patients, 2, mean_spectrum=x.mean(axis=0, dtype=np.float64), axis=axis)
    parts = split.parts[1]
    changes = [each.astype(np.float32) for each in (*parts.parts.values(), parts.whole)]
    some = 8
    measured = []
    for model in ("isotopenet", "roc_lda"):
        settings = {"epochs": 1} if model == "isotopenet" else {"k": 20}
        estimator = make_estimator(model, settings, seed=0, device="cpu")
        estimator.fit(x[:64], np.asarray(_CLASSES)[y[:64]], groups=patients[:64])

        def ours(estimator: Any = estimator) -> Any:
            return artifact_share(estimator, x, y, patients, _CLASSES, split, n_bootstrap=0)

        def peer(estimator: Any = estimator) -> Any:
            for change in changes:
                for spectrum, sign in zip(x[:some], np.where(y[:some] == 1, -1, 1), strict=True):
                    one = spectrum[None]
                    log_odds(estimator, one, _CLASSES)
                    log_odds(estimator, one + np.float32(sign) * change, _CLASSES)

        measured.append(
            side_by_side(
                f"shares of the class gap, {model}, {len(x)} spots, {N_BINS:,} bins",
                ("spectrum by spectrum, before and after", peer),
                ours,
                rounds=1 if quick else 3,
                peer_share=some / len(x),
            )
        )
    np.testing.assert_allclose(nuisance_features(x, axis), in_numpy(x, axis), rtol=1e-3, atol=1e-4)
    measured.append(
        side_by_side(
            f"nuisance features of {len(x)} spectra, {N_BINS:,} bins",
            ("numpy", lambda: in_numpy(x, axis)),
            lambda: nuisance_features(x, axis),
        )
    )
    return measured


if __name__ == "__main__":
    run(rows, __doc__)
