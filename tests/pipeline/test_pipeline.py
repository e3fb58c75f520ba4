"""The whole way through, by DVC, on a tiny cohort: what a user's `dvc repro` does."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent

PARAMS = {
    **yaml.safe_load((ROOT / "params.yaml").read_text()),
    "cohort": "data/raw/small",
    "tasks": {"ADSQ": {"label": "subtype", "classes": ["AD", "SQ"], "where": {"roi": 1}}},
    "synth": {
        "small": {"preset": "tiny", "seed": 3},
        "broken": {"preset": "tiny_counterfactual", "seed": 3},
    },
    "folds": {"group": "tma", "k": 2, "repeats": 1, "seed": 1},
    "models": ["roc_lda", "isotopenet", "conv3d"],
    "train": {
        "seed": 1,
        "device": "cpu",
        "roc_lda": {},
        "isotopenet": {"epochs": 2, "batch_size": 32},
        "conv3d": {"epochs": 2, "n_peaks": 24},
    },
    "tune": {
        "inner": {"k": 2, "repeats": 1},
        "models": {"roc_lda": {"trials": 3, "space": {"k": ["inner", 5, 20]}}},
    },
    "evaluate": {"bootstrap": 100, "seed": 0},
    "audit": {"patient_folds": 2, "counterfactual": {"ADSQ": "data/raw/broken"}},
}


class Project:
    """A copy of the project in a folder of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.env = {
            **os.environ,
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "DVC_NO_ANALYTICS": "1",
            "OMP_NUM_THREADS": "1",
            # An editable install points at the original; the copy must run its own code.
            "PYTHONPATH": str(root / "src"),
            "GIT_AUTHOR_NAME": "t",
            "GIT_AUTHOR_EMAIL": "t@example.org",
            "GIT_COMMITTER_NAME": "t",
            "GIT_COMMITTER_EMAIL": "t@example.org",
        }
        for name in ("DVC_ROOT", "MLFLOW_TRACKING_URI"):
            self.env.pop(name, None)

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        result = subprocess.run(
            command, cwd=self.root, env=self.env, text=True, capture_output=True, timeout=600
        )
        if check and result.returncode != 0:
            pytest.fail(f"{' '.join(command)}\n{result.stdout[-3000:]}\n{result.stderr[-3000:]}")
        return result

    def params(self, **changes: object) -> None:
        content = {**PARAMS, **changes}
        (self.root / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))

    def runs(self) -> pd.DataFrame:
        import mlflow

        mlflow.set_tracking_uri(f"sqlite:///{self.root}/mlruns/mlflow.db")
        return mlflow.search_runs(search_all_experiments=True, max_results=1000)

    def metrics(self) -> dict[str, dict[str, dict[str, object]]]:
        return json.loads((self.root / "reports/metrics.json").read_text())


def copy_project(root: Path) -> Project:
    for name in ("dvc.yaml", ".dvcignore", ".gitignore", "pyproject.toml"):
        shutil.copy(ROOT / name, root / name)
    for name in ("src", "pipelines"):
        shutil.copytree(
            ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
        )
    (root / "data/second").mkdir(parents=True)
    shutil.copy(ROOT / "data/second/.gitkeep", root / "data/second/.gitkeep")
    (root / ".dvc").mkdir()
    shutil.copy(ROOT / ".dvc/config", root / ".dvc/config")
    shutil.copy(ROOT / ".dvc/.gitignore", root / ".dvc/.gitignore")
    project = Project(root)
    project.params()
    return project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = copy_project(tmp_path_factory.mktemp("project"))
    project.run("git", "init", "-q", "-b", "main")
    project.run("git", "add", "-A")
    project.run("git", "commit", "-q", "-m", "start")
    project.run("corespot", "init")
    # An unfinished study, as a kill leaves it: the pipeline goes on with it.
    project.run("dvc", "repro", "folds")
    project.run("corespot", "tune", "ADSQ", "roc_lda", "--trials", "2")
    project.run("dvc", "repro", "report")
    return project


pytestmark = pytest.mark.slow


def test_metrics_have_the_promised_shape(project: Project) -> None:
    metrics = project.metrics()
    assert list(metrics) == ["ADSQ"] and list(metrics["ADSQ"]) == PARAMS["models"]
    for scores in metrics["ADSQ"].values():
        for level in ("spot", "core", "patient"):
            balanced = scores[level]["balanced_accuracy"]  # type: ignore[index]
            assert 0 <= balanced["median"] <= 1
            assert balanced["iqr"][0] <= balanced["median"] <= balanced["iqr"][1]
            assert balanced["ci95"][0] <= balanced["ci95"][1]
            assert scores[level]["auc"]["median"] is not None  # type: ignore[index]
        assert {"train_spot_balanced_accuracy", "n_parameters", "run_id"} <= set(scores)
    assert metrics["ADSQ"]["isotopenet"]["seconds_per_epoch"] > 0  # type: ignore[operator]
    summary = json.loads((project.root / "reports/summary.json").read_text())
    assert {*summary["ADSQ"]["conv3d"]} >= {"spot", "core", "patient"}
    spatial = metrics["ADSQ"]["conv3d"]
    assert {"spatial", "spectral"} == set(spatial["ablation"])  # type: ignore[call-overload]
    assert spatial["patches"]["patch"]["balanced_accuracy"]["ci95"]  # type: ignore[index]
    assert spatial["segmentation"]["fraction_auc"]["value"] is not None  # type: ignore[index]
    by_k = metrics["ADSQ"]["roc_lda"]["k"]
    assert by_k["worst"]["spot"] <= by_k["best"]["spot"]  # type: ignore[index]


def test_every_spot_is_predicted_once_and_by_a_model_that_never_saw_its_tma(
    project: Project,
) -> None:
    spots = pd.read_parquet(project.root / "data/store/spots.parquet")
    for model in ("roc_lda", "isotopenet", "conv3d"):
        out = pd.read_parquet(project.root / f"data/train/ADSQ/{model}/predictions.parquet")
        wanted = np.flatnonzero((spots["roi"].astype(str) == "1") & (spots["subtype"] != ""))
        assert sorted(out["row"]) == wanted.tolist()
        assert np.allclose(out[["prob_AD", "prob_SQ"]].sum(axis=1), 1)
        tma = out["row"].map(spots["tma"])
        assert (out.assign(tma=tma).groupby("tma")["fold"].nunique() == 1).all()


def test_the_design_is_audited(project: Project) -> None:
    design = json.loads((project.root / "data/design/design.json").read_text())["ADSQ"]
    assert design["V"] < 0.3 and not design["nested"]
    columns = {row["column"] for row in design["columns"]}
    assert {"tma", "acquisition_date", "slide x", "raw TIC"} <= columns
    said = project.run("corespot", "cohort", "audit").stdout
    assert "association of the label with metadata" in said
    told = json.loads(project.run("corespot", "cohort", "audit", "--json").stdout)
    assert told["ADSQ"]["tmas"] == design["tmas"]


def test_every_model_is_audited_on_its_own_and_on_the_second_cohort(project: Project) -> None:
    audits = json.loads((project.root / "reports/audit.json").read_text())["ADSQ"]
    assert set(audits) == set(PARAMS["models"])
    tags = project.runs().set_index("run_id")
    for model, audit in audits.items():
        folder = project.root / "data/audit/ADSQ" / model
        whole = json.loads((folder / "audit.json").read_text())
        drop = whole["counterfactual"]["drop"]
        metrics = project.metrics()["ADSQ"][model]
        other = whole["counterfactual"]["counterfactual_balanced_accuracy"]
        own = metrics["spot"]["balanced_accuracy"]["median"]
        assert drop == pytest.approx(own - other, abs=0.2)
        assert audit["by_counterfactual"] and "second cohort" in audit["sentence"]
        assert tags.loc[audit["run_id"], "tags.audit.verdict"] == audit["verdict"]
        assert tags.loc[audit["run_id"], "metrics.audit.counterfactual_drop"] == pytest.approx(drop)
        assert (folder / "audit.html").is_file()
    scores = pd.read_parquet(project.root / "data/regrouped/ADSQ/roc_lda/scores.parquet")
    assert np.isfinite(scores["logit_AD"]).all()


def test_a_tuned_model_is_trained_with_what_its_folds_found(project: Project) -> None:
    tuned = json.loads((project.root / "data/tune/ADSQ/roc_lda/tuned.json").read_text())
    assert [fold["trials"] for fold in tuned["folds"]] == [3, 3]
    summary = json.loads((project.root / "reports/tuning.json").read_text())
    assert list(summary["ADSQ"]) == ["roc_lda"]
    for fold in summary["ADSQ"]["roc_lda"]["folds"]:
        assert fold["gain"] == pytest.approx(fold["best_value"] - fold["published_value"])
    runs = project.runs()
    folds = runs[(runs["tags.level"] == "fold") & (runs["tags.model"] == "roc_lda")]
    for fold in tuned["folds"]:
        of_fold = folds[folds["params.fold"] == str(fold["fold"])].iloc[0]
        assert of_fold["params.train.k"] == str(fold["settings"]["k"])
    parent = runs[(runs["tags.level"] == "model") & (runs["tags.model"] == "roc_lda")].iloc[0]
    assert parent["tags.tuning"] == "tuned inside the training part of each fold"
    assert "roc_lda (tuned)" in (project.root / "reports/results.md").read_text()
    assert (project.root / "data/studies/optuna.journal").is_file()


def test_runs_are_a_tree_that_says_where_it_came_from(project: Project) -> None:
    runs = project.runs()
    parents = runs[runs["tags.level"] == "model"]
    children = runs[runs["tags.level"] == "fold"]
    assert len(parents) == 3 and len(children) == 6
    assert set(children["tags.mlflow.parentRunId"]) == set(parents["run_id"])
    assert (runs["status"] == "FINISHED").all()
    assert sorted(runs["tags.level"].value_counts().items()) == [
        ("fold", 6),
        ("model", 3),
        ("study", 2),
        ("trial", 6),
    ]
    for tag in ("git_commit", "dvc.raw", "dvc.store", "dvc.folds", "folds.fingerprint"):
        assert (parents[f"tags.{tag}"].str.len() >= 32).all(), tag
    assert (parents["tags.git_dirty"] == "false").all()
    stored = project.metrics()["ADSQ"]
    assert {scores["run_id"] for scores in stored.values()} == set(parents["run_id"])
    net = parents[parents["tags.model"] == "isotopenet"].iloc[0]
    folder = project.root / "mlruns/artifacts/small" / net["run_id"] / "artifacts"
    for artifact in (
        "metrics.json",
        "performance/performance.html",
        "performance/learning_curves.json",
        "performance/class_maps.json",
        "performance/embedding.json",
        "sensitivity/sensitivity.html",
        "sensitivity/sensitivity.npz",
        "tables/folds.parquet",
        "tables/predictions.parquet",
    ):
        assert (folder / artifact).is_file(), artifact
    assert not list((project.root / "mlruns/artifacts").rglob("*.pkl"))


def test_the_served_model_takes_raw_spectra(project: Project) -> None:
    import mlflow

    from corespot.io.imzml import open_imzml

    runs = project.runs()
    net = runs[(runs["tags.level"] == "model") & (runs["tags.model"] == "isotopenet")].iloc[0]
    served = mlflow.pyfunc.load_model(net["tags.model_uri"])
    folder = project.root / "data/raw/small"
    with open_imzml(sorted(folder.glob("*.imzML"))[0]) as file:
        spectra = [file.spectrum(index) for index in range(3)]
    frame = pd.DataFrame(
        {
            "mz": [mz.astype(np.float64).tolist() for mz, _ in spectra],
            "intensity": [values.astype(np.float64).tolist() for _, values in spectra],
        }
    )
    answer = served.predict(frame)
    assert list(answer.columns) == ["prob_AD", "prob_SQ", "predicted"]
    assert np.allclose(answer[["prob_AD", "prob_SQ"]].sum(axis=1), 1)


def test_a_served_spatial_model_is_told_where_spots_lie(project: Project) -> None:
    import mlflow

    from corespot.io.imzml import open_imzml

    runs = project.runs()
    net = runs[(runs["tags.level"] == "model") & (runs["tags.model"] == "conv3d")].iloc[0]
    served = mlflow.pyfunc.load_model(net["tags.model_uri"])
    folder = project.root / "data/raw/small"
    table = pd.read_csv(folder / "spots.csv")
    core = table[table["core"] == table["core"].iloc[-1]]
    row_in_file = core.index - table.index[table["file"] == core["file"].iloc[0]][0]
    with open_imzml(folder / core["file"].iloc[0]) as file:
        spectra = [file.spectrum(int(index)) for index in row_in_file]
    frame = core[["core", "x", "y"]].assign(
        mz=[mz.astype(np.float64).tolist() for mz, _ in spectra],
        intensity=[values.astype(np.float64).tolist() for _, values in spectra],
    )
    assert np.allclose(served.predict(frame)[["prob_AD", "prob_SQ"]].sum(axis=1), 1)
    with pytest.raises(Exception, match=r"core|missing"):
        served.predict(frame[["mz", "intensity"]])


def test_pages_need_no_network(project: Project) -> None:
    pages = [*(project.root / "reports").rglob("*.html"), *(project.root / "data").rglob("*.html")]
    names = sorted(page.name for page in pages)
    of_each_model = ["audit.html", "performance.html", "sensitivity.html"] * 3
    assert names == sorted([*of_each_model, "index.html", "quality.html", "tuning.html"])
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"<(script|link|img|iframe)[^>]+(src|href)=['\"]?(https?:)?//", text)
        assert "Content-Security-Policy" in text


def test_trained_models_can_be_tried_on_another_cohort(project: Project) -> None:
    project.run("corespot", "synth", "tiny", "other", "--counterfactual", "--seed", "3")
    project.run("corespot", "transfer", "ADSQ", "conv3d", "other")
    said = project.run("corespot", "transfer", "ADSQ", "roc_lda", "other").stdout
    assert "own cohort" in said and "other cohort" in said
    found = json.loads(
        project.run("corespot", "transfer", "ADSQ", "roc_lda", "other", "--json").stdout
    )
    assert found["spot"]["balanced_accuracy"]["repeats"] is not None
    assert found["spot"]["n_repeats"] == 2  # one a fold's model
    shutil.rmtree(project.root / "other")


def test_nothing_to_do_does_nothing_and_a_change_reruns_what_depends_on_it(
    project: Project,
) -> None:
    again = project.run("dvc", "repro", "report")
    assert "Running stage" not in again.stdout
    before = len(project.runs())
    train = {**PARAMS["train"], "isotopenet": {"epochs": 3, "batch_size": 32}}  # type: ignore[dict-item]
    project.params(train=train)
    changed = project.run("dvc", "repro", "report").stdout
    project.params()
    ran = [line.split("'")[1] for line in changed.splitlines() if line.startswith("Running stage")]
    assert ran == [
        "tune@ADSQ-isotopenet",
        "train@ADSQ-isotopenet",
        "sensitivity@ADSQ-isotopenet",
        "regroup@ADSQ-isotopenet",
        "audit@ADSQ-isotopenet",
        "report",
    ]
    assert len(project.runs()) == before + 3
    # Back to the first settings: outputs come from DVC's cache, and no run is made anew.
    project.run("dvc", "repro", "report")
    assert len(project.runs()) == before + 3


def test_a_queued_experiment_keeps_its_run(project: Project) -> None:
    project.run("git", "add", "-A")
    project.run("git", "commit", "-q", "-m", "results")
    before = len(project.runs())
    project.run("dvc", "exp", "run", "--queue", "-S", "evaluate.bootstrap=120")
    done = project.run("dvc", "exp", "run", "--run-all", "-j", "1")
    assert len(project.runs()) == before + 9, done.stdout[-3000:] + done.stderr[-3000:]
    shown = project.run("dvc", "exp", "show", "--csv").stdout
    assert "120" in shown


def test_bad_input_ends_with_a_message(project: Project) -> None:
    project.params(train={**PARAMS["train"], "isotopenet": {"epocs": 3}})  # type: ignore[dict-item]
    refused = project.run(sys.executable, "pipelines/ingest.py", check=False)
    project.params()
    assert refused.returncode == 2
    assert "epocs" in refused.stderr and "did you mean 'epochs'" in refused.stderr
    assert "Traceback" not in refused.stderr
