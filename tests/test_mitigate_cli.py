"""`corespot mitigate` as a user meets it, on a tiny project that its stages made."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from corespot.audit.calibration.simulated_cohort import RECIPE, simulated_store
from corespot.cli import main
from corespot.io.store import SpectraStore, create_store
from corespot.synth import make_cohort, preset

ROOT = Path(__file__).resolve().parents[1]
PARAMS: dict[str, Any] = {
    "cohort": "data/raw/small",
    "tasks": {"LP": {"label": "organ", "classes": ["lung", "pancreas"]}},
    "folds": {"group": "tma", "k": 2},
    "models": ["logistic"],
    "train": {"seed": 1, "device": "cpu"},
    "evaluate": {"bootstrap": 100},
    "audit": {"patient_folds": 2, "counterfactual": {"LP": "data/raw/broken"}},
}
PAIR = ("--with", "artifact_projection", "--with", "peak_list")
OUT = Path("data/mitigated/LP/logistic/artifact_projection+peak_list")


@dataclass
class Result:
    """What a command came to."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def corespot(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Result]:
    """The command in this process and the project's folder."""

    def run(*arguments: str) -> Result:
        monkeypatch.chdir(project)
        for name in ("DVC_ROOT", "MLFLOW_TRACKING_URI"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(sys, "argv", ["corespot", "mitigate", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return Result(int(ended.value.code or 0), printed.out, printed.err)

    return run


def write_store(folder: Path, store: SpectraStore) -> None:
    meta = {"data_kind": "profile", "recipe": RECIPE.as_list(), "skipped": [], "warnings": []}
    with create_store(folder, spots=store.spots, axis=store.axis, meta=meta) as out:
        out.write(slice(0, store.n_spots), store.spectra)


def stage(name: str) -> Any:
    """The `main` of a stage's script."""
    spec = importlib.util.spec_from_file_location(f"stage_{name}", ROOT / f"pipelines/{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that is trained and audited, and knows a second cohort."""
    folder = tmp_path_factory.mktemp("project")
    settings = preset("tiny")
    store = simulated_store(make_cohort(settings, 3))
    write_store(folder / "data/store", store)
    broken = simulated_store(make_cohort(settings.as_counterfactual(), 3))
    write_store(folder / "data/second/LP", broken)
    (folder / "params.yaml").write_text(yaml.safe_dump(PARAMS))
    (folder / "data/raw/small").mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in ("DVC_ROOT", "MLFLOW_TRACKING_URI"):
            patch.delenv(name, raising=False)
        stage("folds")()
        for name in ("tune", "train", "regroup", "audit"):
            stage(name)("LP", "logistic")
    return folder


def test_without_a_way_it_says_which_there_are(corespot: Callable[..., Result]) -> None:
    result = corespot("LP", "logistic")
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("LP, logistic: confounded\n")
    for name in ("artifact_projection", "peak_list", "augmentation", "mask_off_peak"):
        assert f"\n  {name}: " in result.stdout
    listed = json.loads(corespot("LP", "logistic", "--json").stdout)
    audit = json.loads(Path("data/audit/LP/logistic/audit.json").read_text())
    assert listed["recommended"] == audit["recommended"]


def test_it_trains_writes_records_and_says_before_and_after(
    corespot: Callable[..., Result], project: Path
) -> None:
    import mlflow

    result = corespot("LP", "logistic", *PAIR, "--set", "artifact_projection.ridge=1e-4")
    assert result.returncode == 0, result.stderr
    assert "LP, logistic, with artifact_projection and peak_list" in result.stdout
    assert f"{OUT} written" in result.stdout
    record = json.loads((project / OUT / "before_after.json").read_text())
    audit = json.loads((project / "data/audit/LP/logistic/audit.json").read_text())
    there = audit["counterfactual"]
    before, after = record["before"], record["after"]
    assert before["verdict"] == audit["verdict"]
    for name, value in before["readings"].items():
        assert value == audit["readings"][name]
    assert before["cross_validated"] == pytest.approx(there["balanced_accuracy"])
    second = before["counterfactual"]["balanced_accuracy"]
    assert second == there["counterfactual_balanced_accuracy"]
    assert after["readings"]["artifact_share"] < before["readings"]["artifact_share"]
    assert record["settings"]["artifact_projection"]["ridge"] == 1e-4
    assert f"{before['readings']['artifact_share']:.3f}" in result.stdout

    client = mlflow.MlflowClient(f"sqlite:///{project}/mlruns/mlflow.db")
    run = client.get_run(record["run_id"])
    trained = (project / "data/train/LP/logistic/run_id.txt").read_text().strip()
    tags, metrics = run.data.tags, run.data.metrics
    assert tags["mitigation"] == "artifact_projection+peak_list"
    assert tags["mitigation.of"] == record["run_id_before"] == trained == audit["run_id"]
    assert (tags["task"], tags["model"], tags["level"]) == ("LP", "logistic", "mitigated model")
    assert tags["audit.verdict"] == after["verdict"]
    assert tags["model_uri"].startswith("models:/")  # it can be approved and promoted
    assert run.info.status == "FINISHED"
    share = after["readings"]["artifact_share"]
    assert metrics["audit.artifact_share"] == metrics["artifact_share"] == pytest.approx(share)
    assert metrics["before.artifact_share"] == before["readings"]["artifact_share"]
    assert metrics["cross_validated_balanced_accuracy"] == after["cross_validated"]
    assert run.data.params["mitigation.artifact_projection.ridge"] == "0.0001"
    named = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert {"before_after.json", "audit", "tables", "models", "metrics.json"} <= named
    tables = {file.path for file in client.list_artifacts(run.info.run_id, "tables")}
    wanted = ("predictions", "spots", "folds", "fold_metrics")
    assert tables == {f"tables/{name}.parquet" for name in wanted}
    plain = client.get_run(trained)
    assert plain.data.tags["level"] == "model" and "mitigation" not in plain.data.tags


def test_unrecorded_it_is_the_same_and_leaves_no_run(
    corespot: Callable[..., Result], project: Path
) -> None:
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{project}/mlruns/mlflow.db")
    experiment = client.get_experiment_by_name("small").experiment_id

    def n_runs() -> int:
        return len(client.search_runs([experiment], max_results=1000))

    known = n_runs()
    made = [
        json.loads(corespot("LP", "logistic", *PAIR, "--no-record", "--json").stdout)
        for _ in range(2)
    ]
    assert made[0] == made[1] and made[0]["run_id"] is None
    assert n_runs() == known
    assert json.loads((project / OUT / "before_after.json").read_text()) == made[0]


def test_a_killed_run_leaves_what_was_there(
    corespot: Callable[..., Result], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    def killed(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    shutil.rmtree(project / "data/mitigated", ignore_errors=True)
    monkeypatch.setattr("corespot.mitigate.retrain.audit_run", killed)
    result = corespot("LP", "logistic", "--with", "mask_off_peak")
    assert result.returncode == 130 and "Traceback" not in result.stderr
    assert not [path for path in (project / "data/mitigated").rglob("*") if path.is_file()]
    client = mlflow.MlflowClient(f"sqlite:///{project}/mlruns/mlflow.db")
    experiment = client.get_experiment_by_name("small").experiment_id
    (run,) = client.search_runs([experiment], "tags.mitigation = 'mask_off_peak'")
    assert run.info.status == "KILLED"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["LP", "logistic", "--with", "peaklist"], "did you mean 'peak_list'"),
        (["LP", "logistic", "--with", "artifact_penalty"], "is no network"),
        (["LP", "conv3d", "--with", "peak_list"], "built for models of single spectra"),
        (["LP", "conv1d", "--with", "peak_list"], "run `dvc repro"),
        (["LP", "conv1d"], "run `dvc repro"),
        (["PL", "logistic"], "there is no task 'PL'"),
        (["LP", "logistc"], "did you mean 'logistic'"),
        (["LP", "logistic", "--with", "peak_list", "--set", "peak_list.odd=1"], "unknown key"),
        (["LP", "logistic", "--set", "peak_list.non_peptide=true"], "not among the ways"),
        (["LP", "logistic", "--with", "peak_list", "--set", "x"], "way.setting=value"),
    ],
)
def test_bad_input_is_exit_2_and_a_message(
    corespot: Callable[..., Result], arguments: list[str], message: str
) -> None:
    result = corespot(*arguments)
    assert result.returncode == 2 and message in result.stderr, result.stderr
    assert "Traceback" not in result.stderr


def test_an_audit_of_another_run_is_told(corespot: Callable[..., Result], project: Path) -> None:
    path = project / "data/audit/LP/logistic/audit.json"
    content = path.read_text()
    path.write_text(json.dumps({**json.loads(content), "run_id": "0" * 32}))
    try:
        result = corespot("LP", "logistic", "--with", "peak_list")
    finally:
        path.write_text(content)
    assert result.returncode == 2 and "dvc repro" in result.stderr
