"""A tiny project to be reviewed: three audited runs, two of them with a model to serve."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import yaml

from corespot.axis import MzAxis
from corespot.cohort.splits import FoldSettings, make_folds
from corespot.cohort.tasks import Task, select_spots
from corespot.io.artifacts import sha256_of
from corespot.io.folds import write_folds
from corespot.review.project import Project
from corespot.tracking.audits import record_audit
from corespot.tracking.pyfunc import log_ensemble
from corespot.tracking.runs import start_run
from corespot.tracking.served import served_tags
from corespot.tracking.store import relocate
from corespot.train.checkpoint import save_model
from corespot.train.estimator import make_estimator

sys.path.append(str(Path(__file__).parent / "report"))
from audit_folders import write_audit

#: Verdict of each run; the first two are of one task and have a model.
VERDICTS = {"clean": "no_evidence", "suspect": "suspect", "confounded": "confounded"}
STORE_HASH = "0123456789abcdef.dir"


@dataclass(frozen=True)
class Reviewed:
    """A project and what is in it.

    Parameters
    ----------
    root : Path
        Its folder.
    ids : dict of str to str
        Run identifiers by the names of `VERDICTS`.
    """

    root: Path
    ids: dict[str, str]

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.root}/mlruns/mlflow.db"

    @property
    def project(self) -> Project:
        return Project(self.root)

    @property
    def client(self) -> mlflow.MlflowClient:
        return mlflow.MlflowClient(self.uri)

    def artifacts(self, name: str) -> Path:
        """Folder of a run's files."""
        return self.root / "mlruns/artifacts/demo" / self.ids[name] / "artifacts"

    def audit(self, name: str, **changed: Any) -> None:
        """Edit the audit's file of a run by hand."""
        file = self.artifacts(name) / "audit/audit.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | changed))

    def audit_again(self, name: str, verdict: str) -> None:
        """Audit a run anew: files and tags are those of another verdict."""
        # Not through MLflow, which remembers where the run of this name had its files at first.
        folder = self.artifacts(name) / "audit"
        write_audit(folder, verdict=verdict, task="ADSQ", model="logistic")
        self.audit(name, run_id=self.ids[name])
        self.client.set_tag(self.ids[name], "audit.verdict", verdict)
        self.client.set_tag(self.ids[name], "audit.sha256", sha256_of(folder / "audit.json"))

    def lock(self, md5: str | None) -> None:
        """Let DVC have recorded this hash of the spectra store."""
        outs = [] if md5 is None else [{"path": "data/store", "md5": md5}]
        (self.root / "dvc.lock").write_text(
            yaml.safe_dump({"stages": {"preprocess": {"outs": outs}}})
        )


def make_reviewed(root: Path) -> Reviewed:
    """Make the project; takes some seconds, so copy it for every test."""
    root.mkdir()
    uri = f"sqlite:///{root}/mlruns/mlflow.db"
    (root / "params.yaml").write_text("cohort: data/raw/demo\n")
    fingerprint = folds_into(root, seed=0)
    models = root / "models"
    _models(models)
    ids = {}
    for name, verdict in VERDICTS.items():
        tags = {
            **{"task": "ADSQ", "model": "logistic" if name == "clean" else name},
            **{"level": "model", "dvc.store": STORE_HASH, "folds.fingerprint": fingerprint},
        }
        with start_run(f"ADSQ {name}", experiment="demo", tags=tags, uri=uri) as run:
            ids[name] = run.run_id
            if name != "confounded":
                run.tags(served_tags(run, log_ensemble(run, models, "0")))
        _audit(root / f"audit-{name}", run.run_id, verdict, uri)
    trained = root / "data/train/ADSQ/logistic"
    trained.mkdir(parents=True)
    (trained / "run_id.txt").write_text(ids["clean"] + "\n")
    made = Reviewed(root, ids)
    made.lock(STORE_HASH)
    return made


def copied(made: Reviewed, root: Path) -> Reviewed:
    """A copy that may be written to and broken."""
    shutil.copytree(made.root, root)
    relocate(root / "mlruns/mlflow.db", str(made.root), str(root))
    return Reviewed(root, made.ids)


def folds_into(root: Path, seed: int) -> str:
    """Write folds of the task; returns their fingerprint."""
    unit = np.repeat(np.arange(16), 2)
    spots = pd.DataFrame(
        {
            **{"file": "a.imzML", "spectrum": np.arange(32), "core": [f"C{i}" for i in unit]},
            **{"tma": [f"T{i // 2}" for i in unit], "patient": [f"P{i}" for i in unit]},
            "label": np.where(unit % 2 == 0, "a", "b"),
        }
    )
    task = select_spots(spots, "ADSQ", Task(label="label", classes=("a", "b")))
    table = make_folds(task, FoldSettings(group="tma", k=4, seed=seed))
    write_folds(root / "data/folds/ADSQ", table)
    return table.fingerprint


def _models(folder: Path) -> None:
    axis, rng = MzAxis.tof(800, 900, 24), np.random.default_rng(0)
    spectra = rng.random((20, 24), dtype=np.float32)
    model = make_estimator("logistic", {}, seed=0, device="cpu")
    model.fit(spectra, np.repeat(["a", "b"], 10))
    save_model(folder / "fold0", model, axis=axis, classes=["a", "b"], recipe=[])


def _audit(folder: Path, run_id: str, verdict: str, uri: str) -> None:
    folder.mkdir(exist_ok=True)
    content = write_audit(folder, verdict=verdict, task="ADSQ", model="logistic")
    content["run_id"] = run_id
    (folder / "audit.json").write_text(json.dumps(content))
    assert record_audit(run_id, content, folder, uri)
