"""From imzML to store at the size of the larger published task: 27,475 spectra of 27,286 bins.

Baseline by convolution (width 20), moved onto another axis, divided by the total ion count;
quality tables included. The peer is the straightforward way: pyimzml's ``getspectrum``, scipy's
filters and numpy, spectrum by spectrum. ``--profile`` shows where the time goes.
"""

from __future__ import annotations

import cProfile
import pstats
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from benchmarks.ingest.files import scratch
from benchmarks.side_by_side import Row, run, side_by_side
from pyimzml.ImzMLParser import ImzMLParser
from scipy.ndimage import minimum_filter1d, uniform_filter1d

from corespot.axis import MzAxis
from corespot.io.check import check_cohort
from corespot.io.cohort_folder import load_cohort
from corespot.io.imzml import write_imzml
from corespot.io.preprocessed import preprocess_cohort
from corespot.io.store import SpectraStore
from corespot.preprocess.recipe import PreprocessSettings

N_SPOTS, N_QUICK, N_BINS, N_FILES = 27_475, 2_000, 27_286, 4
RAW = MzAxis.tof(600.0, 3200.0, N_BINS)
SETTINGS = PreprocessSettings.parse(
    {
        "axis": {"kind": "tof", "low": 610.0, "high": 3190.0, "n_bins": N_BINS},
        "recipe": [
            {"step": "baseline", "method": "convolution", "width": 20},
            {"step": "resample", "method": "auto"},
            {"step": "normalize", "method": "tic"},
        ],
    },
    "preprocess",
)


def rows(quick: bool) -> list[Row]:
    """The cohort check, and the way into the store."""
    n = N_QUICK if quick else N_SPOTS
    with scratch() as folder:
        files = write_lp(folder / "cohort", n)
        size = sum(path.with_suffix(".ibd").stat().st_size for path in files) / 1e9
        sampled = n // 10 if quick else 1000

        def theirs() -> None:
            straightforward(files, folder / "theirs.npy", sampled)

        found = [
            side_by_side(
                f"{n:,} spectra of {N_BINS:,} bins ({size:.2g} GB) from imzML to store",
                ("pyimzml getspectrum, scipy, numpy", theirs),
                lambda: into_store(folder / "cohort", folder / "store"),
                rounds=2 if quick else 1,
                peer_share=sampled / n,
            ),
            side_by_side(
                f"cohort check of the same, every value and checksum ({size:.2g} GB)",
                ("pyimzml getspectrum, numpy: finite, ascending", lambda: look(files, sampled)),
                lambda: check_cohort(folder / "cohort"),
                rounds=2 if quick else 1,
                peer_share=sampled / n,
                note="peer without checksum and without pairing of tables",
            ),
        ]
        assert_alike(folder / "store", folder / "theirs.npy", sampled)
    return found


def write_lp(folder: Path, n: int) -> list[Path]:
    """A cohort of `n` noisy spectra in four files, one TMA each."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    peaks = np.exp(-0.5 * ((RAW.mz[:, None] - rng.uniform(620, 3180, 60)) / 0.3) ** 2)
    heights = rng.gamma(2, 20, (250, 60))
    baseline = 30 * np.exp(-(RAW.mz - 600) / 900) + 5
    tile = (heights @ peaks.T + baseline + rng.gamma(2, 1, (250, N_BINS))).astype(np.float32)
    files, spots = [], []
    for k, part in enumerate(np.array_split(np.arange(n), N_FILES)):
        x, y = np.arange(part.size) % 200 + 1, np.arange(part.size) // 200 + 1
        name = f"TMA{k}.imzML"
        write_imzml(
            folder / name,
            coordinates=np.stack([x, y], axis=1),
            blocks=_blocks(tile, part.size),
            mz=RAW.mz,
        )
        files.append(folder / name)
        spots.append(pd.DataFrame({"file": name, "x": x, "y": y, "core": f"c{k}"}))
    pd.concat(spots).to_csv(folder / "spots.csv", index=False)
    numbers = range(N_FILES)
    cores = {key: [f"{key[0]}{k}" for k in numbers] for key in ("core", "tma", "patient")}
    pd.DataFrame(cores | {"entity": ["a", "b"] * (N_FILES // 2)}).to_csv(
        folder / "cores.csv", index=False
    )
    return files


def _blocks(tile: np.ndarray, n: int) -> Iterator[np.ndarray]:
    for start in range(0, n, len(tile)):
        yield tile[: n - start] * np.float32(1 + start / 1e4)


def into_store(cohort: Path, out: Path) -> None:
    """What the stages ``ingest`` (tables) and ``preprocess`` do."""
    preprocess_cohort(cohort, out, cohort=load_cohort(cohort), settings=SETTINGS, progress=None)


def straightforward(files: list[Path], out: Path, n: int) -> None:
    """The same for the first `n` spectra, one by one."""
    axis = MzAxis.tof(610.0, 3190.0, N_BINS).mz
    store = np.lib.format.open_memmap(out, "w+", np.float32, (n, N_BINS))
    row = 0
    for path in files:
        with ImzMLParser(str(path)) as parser:
            for i in range(len(parser.coordinates)):
                if row == n:
                    break
                mz, intensity = parser.getspectrum(i)
                envelope = minimum_filter1d(intensity.astype(np.float64), 20)
                above = np.maximum(intensity - uniform_filter1d(envelope, 20, origin=-1), 0)
                moved = np.interp(axis, mz, above)
                store[row] = moved / moved.sum()
                row += 1
    store.flush()


def look(files: list[Path], n: int) -> None:
    """Whether the values of the first `n` spectra are what they must be."""
    row = 0
    for path in files:
        with ImzMLParser(str(path)) as parser:
            for i in range(min(len(parser.coordinates), n - row)):
                mz, intensity = parser.getspectrum(i)
                assert np.isfinite(mz).all() and (mz >= 0).all() and (np.diff(mz) >= 0).all()
                assert np.isfinite(intensity).all()
                np.count_nonzero(intensity)
                row += 1


def assert_alike(store: Path, theirs: Path, n: int) -> None:
    """Both did the same work."""
    step = max(1, n // 20)
    ours = np.asarray(SpectraStore.open(store).spectra[:n:step])
    np.testing.assert_allclose(
        ours / ours.sum(axis=1, keepdims=True), np.load(theirs)[::step], rtol=1e-3, atol=1e-9
    )


def profile(n: int) -> None:
    """Where the time of ours goes."""
    with scratch() as folder:
        write_lp(folder / "cohort", n)
        into_store(folder / "cohort", folder / "store")
        for work in (
            lambda: into_store(folder / "cohort", folder / "store"),
            lambda: check_cohort(folder / "cohort"),
        ):
            profiler = cProfile.Profile()
            profiler.runcall(work)
            pstats.Stats(profiler).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    if "--profile" in sys.argv:
        profile(5000)
    else:
        run(rows, __doc__)
