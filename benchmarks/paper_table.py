"""Train the whole published table: both tasks, both networks, four repeats, four folds.

    python -m benchmarks.paper_table [--fraction F] [--peer] [--out FILE]

The cohort has the papers' shape (4,672 and 27,475 spectra of 27,286 bins on 8 and 12 TMAs) and is
synthetic: minutes are measured, accuracies are not those of tissue and not to be compared with
the published ones. With ``--fraction`` every fit runs that share of its epochs and the rest is
extrapolated from the median epoch, which the output says. ``--peer`` trains the same table for
the same share by plain eager PyTorch from a DataLoader, one fit a cell. Finished fits are kept in
``--out``, from which the next run goes on.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from benchmarks.training.bandwidth import copied_bytes_per_second, least_bytes
from benchmarks.training.paper_cohort import N_BINS, TASKS, PaperSpectra, PaperTask, make_spectra
from benchmarks.training.plain_loader import epoch_seconds
from sklearn.metrics import balanced_accuracy_score

from corespot.models.spectra_rows import SpectraRows
from corespot.progress import track
from corespot.train.data import Held, choose_device, hold_on
from corespot.train.estimator import make_estimator

_VERSION = 1


@dataclass(frozen=True)
class Cell:
    """A network on a task, with the published settings (Behrmann et al. 2018)."""

    task: str
    model: str
    epochs: int
    batch_size: int
    weight_decay: float
    #: Published seconds an epoch on a GTX TITAN X.
    published_s: float

    @property
    def name(self) -> str:
        """``TASK/model``."""
        return f"{self.task}/{self.model}"


CELLS = (
    Cell("ADSQ", "isotopenet", 300, 256, 0.05, 14.16),
    Cell("ADSQ", "residualnet", 100, 64, 0.05, 44.55),
    Cell("LP", "isotopenet", 30, 256, 0.01, 35.34),
    Cell("LP", "residualnet", 30, 256, 0.001, 109.44),
)


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fraction", type=float, default=1.0, help="share of the epochs run")
    parser.add_argument("--fits", type=int, default=16, help="fits of each cell that are run")
    parser.add_argument("--n-bins", type=int, default=N_BINS)
    parser.add_argument("--spots", type=int, help="spectra of each task, for a trial")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--peer", action="store_true", help="time plain eager PyTorch, too")
    parser.add_argument("--peer-workers", type=int, default=min(8, os.cpu_count() or 1))
    parser.add_argument(
        "--peer-steps", type=int, help="steps of a peer's epoch; its time is scaled"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="JSON record, from which a run goes on")
    asked = parser.parse_args(given)
    if not 0 < asked.fraction <= 1 or not 1 <= asked.fits <= 16:
        parser.error("--fraction must lie in (0, 1], --fits in 1 to 16")
    return asked


def main(given: list[str] | None = None) -> dict[str, Any]:
    asked = arguments(given)
    device = choose_device(asked.device)
    record = _opened(asked, device)
    record["copy_bytes_per_s"] = copied_bytes_per_second(device)
    todo = [(task, [cell for cell in CELLS if cell.task == task.name]) for task in TASKS]
    fits = [
        (task, cell, number)
        for task, cells in todo
        for cell in cells
        for number in range(asked.fits)
    ]
    data: tuple[str, PaperSpectra, Held | None] | None = None
    for task, cell, number in track(fits, label="paper table", unit="fits"):
        key = f"{cell.name}/repeat{number // 4}-fold{number % 4}"
        wants_peer = asked.peer and number == 0 and cell.name not in record["peer"]
        if key in record["fits"] and not wants_peer:
            continue
        if data is None or data[0] != task.name:
            data = None  # the other task's spectra go first
            data = _data(task, asked, device)
        if key not in record["fits"]:
            record["fits"][key] = _fit(cell, data[1], data[2], number, asked, device)
            _write(asked.out, record)
        if wants_peer:
            record["peer"][cell.name] = _peer(cell, data[1], asked, device)
            _write(asked.out, record)
    record["cells"] = [_summary(cell, record, asked) for cell in CELLS]
    _write(asked.out, record)
    print(report(record))
    return record


def _data(
    task: PaperTask, asked: argparse.Namespace, device: torch.device
) -> tuple[str, PaperSpectra, Held | None]:
    made = make_spectra(
        task, n_bins=asked.n_bins, n_spots=asked.spots, repeats=4, n_folds=4, seed=asked.seed
    )
    return task.name, made, hold_on(made.x, device)


def _epochs(cell: Cell, fraction: float) -> int:
    return max(1, round(cell.epochs * fraction))


def _fit(
    cell: Cell,
    data: PaperSpectra,
    held: Held | None,
    number: int,
    asked: argparse.Namespace,
    device: torch.device,
) -> dict[str, Any]:
    train, test = data.folds[number // 4][number % 4]
    settings = {
        "epochs": _epochs(cell, asked.fraction),
        "batch_size": cell.batch_size,
        "weight_decay": cell.weight_decay,
    }
    model = make_estimator(cell.model, settings, seed=asked.seed + number, device=str(device))
    x_train, x_test = (SpectraRows(data.x, rows) for rows in (train, test))
    held_train, held_test = (None, None) if held is None else (held.take(train), held.take(test))
    started = time.perf_counter()
    model.fit(x_train, data.y[train], held=held_train)
    fitted = time.perf_counter() - started
    scores = model.predict_proba(x_test, held=held_test)
    predicted = model.classes_[scores.argmax(1)]
    return {
        "fit_s": fitted,
        "predict_s": time.perf_counter() - started - fitted,
        "epoch_s": [entry["seconds"] for entry in model.history_],
        "n_train": len(train),
        "n_parameters": model.n_parameters_,
        "balanced_accuracy": float(balanced_accuracy_score(data.y[test], predicted)),
        "precision": model.precision_,
        "facts": model.facts_,
        "streamed": held is None,
    }


def _peer(
    cell: Cell, data: PaperSpectra, asked: argparse.Namespace, device: torch.device
) -> dict[str, Any]:
    train = data.folds[0][0][0]
    seconds = list(
        epoch_seconds(
            cell.model, data.x, data.y, train,
            epochs=_epochs(cell, asked.fraction), batch_size=cell.batch_size,
            weight_decay=cell.weight_decay, device=device, workers=asked.peer_workers,
            most_steps=asked.peer_steps,
        )
    )  # fmt: skip
    return {"epoch_s": seconds, "n_train": len(train)}


def _steady(epoch_s: list[float]) -> float:
    """The median epoch; the first one, which warms up, only if there is no other."""
    return median(epoch_s[1:] or epoch_s)


def _whole(epoch_s: list[float], epochs: int) -> float:
    """Seconds of so many epochs: those that were run, and the median for the others."""
    return sum(epoch_s) + (epochs - len(epoch_s)) * _steady(epoch_s)


def _summary(cell: Cell, record: dict[str, Any], asked: argparse.Namespace) -> dict[str, Any]:
    fits = [fit for key, fit in record["fits"].items() if key.startswith(f"{cell.name}/")]
    ours = [
        fit["fit_s"] - sum(fit["epoch_s"]) + _whole(fit["epoch_s"], cell.epochs) + fit["predict_s"]
        for fit in fits
    ]
    n_train, on_gpu = fits[0]["n_train"], record["device"] != "cpu"
    # As the loop deals them: even batches.
    steps = -(-n_train // cell.batch_size)
    moved = steps * least_bytes(
        cell.model, asked.n_bins, -(-n_train // steps), fits[0]["n_parameters"],
        stored=2 if on_gpu else 4, held=2,
    )  # fmt: skip
    floor = moved / record["copy_bytes_per_s"]
    epoch = median(_steady(fit["epoch_s"]) for fit in fits)
    found: dict[str, Any] = {
        "cell": cell.name,
        "fits_run": len(fits),
        "epochs_run": len(fits[0]["epoch_s"]),
        "epochs": cell.epochs,
        "epoch_s": epoch,
        "spectra_per_s": n_train / epoch,
        "minutes": sum(ours) / len(ours) * 16 / 60,
        "epoch_floor_s": floor,
        "times_floor": epoch / floor,
        "published_epoch_s": cell.published_s,
        "balanced_accuracy": median(fit["balanced_accuracy"] for fit in fits),
    }
    if cell.name in record["peer"]:
        peer = record["peer"][cell.name]["epoch_s"]
        found["peer_epoch_s"] = _steady(peer)
        found["peer_minutes"] = _whole(peer, cell.epochs) * 16 / 60
        found["ratio"] = found["peer_minutes"] / found["minutes"]
    return found


def report(record: dict[str, Any]) -> str:
    """The table in Markdown, with what it is and is not."""
    cells = record["cells"]
    lines = [
        f"{record['device_name']}, torch {record['torch']}, "
        f"{record['asked']['n_bins']:,} bins, "
        f"copies at {record['copy_bytes_per_s'] / 1e9:.0f} GB/s",
        "",
        "| task, network | min | s an epoch | spectra/s | times the floor | peer, min | ratio |",
        "|---|---|---|---|---|---|---|",
    ]
    for cell in cells:
        peer = [f"{cell[key]:.1f}" if key in cell else "" for key in ("peer_minutes", "ratio")]
        lines.append(
            f"| {cell['cell']} | {cell['minutes']:.1f} | {cell['epoch_s']:.3g} | "
            f"{cell['spectra_per_s']:,.0f} | {cell['times_floor']:.1f} | {' | '.join(peer)} |"
        )
    lines.append(f"| in all | {sum(cell['minutes'] for cell in cells):.1f} | | | | | |")
    short = [c for c in cells if c["epochs_run"] < c["epochs"] or c["fits_run"] < 16]
    if short:
        told = "; ".join(
            f"{c['cell']} {c['epochs_run']} of {c['epochs']} epochs, {c['fits_run']} of 16 fits"
            for c in short
        )
        lines += ["", f"Extrapolated from the median epoch: {told}."]
    if record["peer"]:
        lines += ["", "Peer: plain eager PyTorch in float32 from a DataLoader, one fit a cell."]
    lines += ["", "Synthetic spectra: accuracies are not those of the papers' tissue."]
    return "\n".join(lines)


def _opened(asked: argparse.Namespace, device: torch.device) -> dict[str, Any]:
    told = {k: v for k, v in vars(asked).items() if k not in ("out", "peer", "device")}
    on_gpu = device.type == "cuda"
    fresh: dict[str, Any] = {
        "version": _VERSION,
        "asked": told,
        "device": str(device),
        "device_name": torch.cuda.get_device_name(device) if on_gpu else platform.processor(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "fits": {},
        "peer": {},
    }
    if asked.out is None or not asked.out.is_file():
        return fresh
    found = json.loads(asked.out.read_text(encoding="utf-8"))
    same = ("version", "asked", "device", "device_name", "torch")
    other = [key for key in same if found.get(key) != fresh[key]]
    if other:
        sys.exit(
            f"{asked.out} was recorded otherwise ({', '.join(other)}); name another file with "
            "--out, or delete it"
        )
    return dict(found)


def _write(path: Path | None, record: dict[str, Any]) -> None:
    if path is None:
        return
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    part.replace(path)


if __name__ == "__main__":
    main()
