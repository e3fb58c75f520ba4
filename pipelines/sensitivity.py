"""Explain one trained model in the m/z domain and add it to its MLflow run."""

import sys
from pathlib import Path

from corespot.cohort.tasks import select_spots
from corespot.errors import told_plainly
from corespot.explain.folds import explain_folds
from corespot.explain.markers import parse_markers
from corespot.io.artifacts import read_table, whole_folder
from corespot.io.folds import read_folds
from corespot.io.store import SpectraStore
from corespot.params import load_params
from corespot.report.sensitivity_page import write_sensitivity
from corespot.tracking.runs import add_to_run


def main(task_name: str, model: str) -> None:
    """Write profile, ranked windows and figures of `model` on `task_name`."""
    params = load_params()
    store = SpectraStore.open("data/store")
    task = select_spots(store.spots, task_name, params.task(task_name).plain())
    trained, table = Path("data/train") / task_name / model, Path("data/ingest/markers.csv")
    folds = read_folds(Path("data/folds") / task_name)
    of = params.sensitivity.of
    explained = explain_folds(store, task, folds, models=trained / "models", of=of)
    markers = parse_markers(read_table(table)) if table.is_file() else ()
    out, n = Path("data/sensitivity") / task_name / model, params.sensitivity.windows
    title = f"{task_name}, {model}"
    with whole_folder(out) as part:
        write_sensitivity(part, explained, markers=markers, n_windows=n, of=of, title=title)
    add_to_run(
        (trained / "run_id.txt").read_text().strip(), out, "sensitivity", params.tracking.uri
    )


if __name__ == "__main__":
    with told_plainly():
        main(sys.argv[1], sys.argv[2])
