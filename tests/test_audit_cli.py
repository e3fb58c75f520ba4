"""`corespot audit` and what belongs to it, as a user meets it."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from corespot.audit.calibration.record import Record, append_records
from corespot.audit.calibration.simulated_cohort import RECIPE, simulated_store
from corespot.audit.calibration.study_fits import StudyFit
from corespot.audit.model.stored import FORMAT_VERSION
from corespot.audit.verdict.readings import Readings
from corespot.cli import main
from corespot.io.store import create_store
from corespot.params import load_params
from corespot.requests import calibration_fits, calibration_of
from corespot.synth import make_cohort, preset

Corespot = Callable[..., "Result"]
PARAMS: dict[str, Any] = {
    "cohort": "data/raw/small",
    "tasks": {
        "ADSQ": {"label": "subtype", "classes": ["AD", "SQ"], "where": {"roi": 1}},
        "LP": {"label": "organ", "classes": ["lung", "pancreas"]},
    },
    "folds": {"group": "tma", "k": 2},
    "models": ["logistic"],
    "train": {"seed": 1, "device": "cpu"},
    "audit": {"patient_folds": 2},
}


@dataclass
class Result:
    """What a command came to."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def corespot(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Corespot:
    """The command in this process, since starting one takes longer than most of its work."""

    def run(*arguments: str, cwd: Path) -> Result:
        monkeypatch.chdir(cwd)
        monkeypatch.setattr(sys, "argv", ["corespot", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return Result(int(ended.value.code or 0), printed.out, printed.err)

    return run


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a store, and nothing trained."""
    folder = tmp_path_factory.mktemp("project")
    made = simulated_store(make_cohort(preset("tiny"), 3))
    meta = {"data_kind": "profile", "recipe": RECIPE.as_list(), "skipped": [], "warnings": []}
    with create_store(folder / "data/store", spots=made.spots, axis=made.axis, meta=meta) as store:
        store.write(slice(0, made.n_spots), made.spectra)
    (folder / "params.yaml").write_text(yaml.safe_dump(PARAMS))
    return folder


@pytest.fixture
def fit(project: Path, monkeypatch: pytest.MonkeyPatch) -> StudyFit:
    """What the project's calibration fits."""
    monkeypatch.chdir(project)
    (found,), left_out = calibration_fits(load_params())
    assert found.task == "LP" and left_out[0].startswith("ADSQ: class and TMA are not tied")
    return found


def records_of(fit: StudyFit, n: int) -> list[Record]:
    shares = np.linspace(0.0, 0.4, n)
    return [
        Record(
            900_000 + at,
            {"task": fit.task, "fingerprint": fit.fingerprint},
            fit.model,
            0.9,
            0.0,
            Readings({"V": 0.9, "artifact_share": float(share)}),
        )
        for at, share in enumerate(shares)
    ]


def test_a_calibration_that_is_too_small_says_so_and_goes_on_later(
    corespot: Corespot, project: Path
) -> None:
    arguments = ("audit", "calibrate", "--cohorts", "1", "--workers", "1", "--out", "data/a.json")
    first = corespot(*arguments, cwd=project)
    assert first.returncode == 2 and "Traceback" not in first.stderr
    assert "LP: 6 TMAs with 16 patients of lung and 8 of pancreas" in first.stdout
    assert "the first cohort took" in first.stdout
    assert "clean fits of 1 cohorts, and 20 are needed" in first.stderr
    assert len((project / "data/a.jsonl").read_text().splitlines()) == 1
    again = corespot(*arguments, cwd=project)
    assert "0 cohorts to simulate, 1 fits in data/a.jsonl" in again.stdout
    assert not (project / "data/a.json").exists()


def test_lines_are_written_and_used(corespot: Corespot, project: Path, fit: StudyFit) -> None:
    append_records(project / "data/b.jsonl", records_of(fit, 41))
    arguments = ("audit", "calibrate", "--task", "LP", "--cohorts", "41", "--out", "data/b.json")
    done = corespot(*arguments, cwd=project)
    assert done.returncode == 0, done.stderr
    assert "0 cohorts to simulate, 41 fits" in done.stdout
    assert "audit: {calibration: data/b.json}" in done.stdout and "0.380" in done.stdout
    content = json.loads((project / "data/b.json").read_text())
    assert content["made"]["command"] == "corespot " + " ".join(arguments)
    assert content["made"]["date"] and content["made"]["seeds"] == [900_000, 900_040]
    changed = {**PARAMS, "audit": {"calibration": "data/b.json"}}
    (project / "other.yaml").write_text(yaml.safe_dump(changed))
    lines = calibration_of(load_params("other.yaml")).of("logistic", "LP")
    assert lines.is_own and lines.lines["artifact_share"] == pytest.approx(0.38)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["calibrate", "--task", "PL"], "there is no task 'PL'"),
        (["calibrate", "--task", "ADSQ"], "class and TMA are not tied"),
        (["calibrate", "--model", "logistc"], "did you mean 'logistic'"),
        (["show"], "data/audit holds no audit"),
        (["check"], "data/audit holds no audit"),
    ],
)
def test_bad_input_is_exit_2_and_a_message(
    corespot: Corespot, project: Path, arguments: list[str], message: str
) -> None:
    result = corespot("audit", *arguments, cwd=project)
    assert result.returncode == 2 and message in result.stderr
    assert "Traceback" not in result.stderr


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two audits in it."""
    folder = tmp_path_factory.mktemp("audited")
    for model, verdict in (("conv1d", "suspect"), ("roc_lda", "not_excluded")):
        finding = {"indicator": "leakage", "value": 0.21, "threshold": 0.15}
        content = {
            "format_version": FORMAT_VERSION,
            "recommended": {"ways": [], "design": []},
            "counterfactual": {"not_applicable": "no second cohort"},
            "run_id": "abc",
            "task": "LP",
            "model": model,
            "verdict": verdict,
            "sentence": f"{model} on LP: what was found.",
            "limitation": "What cannot be said.",
            "findings": [finding] if verdict == "suspect" else [],
            "thresholds": {"calibrated_on": "conv1d", "source": "c.json: made so"},
            "error_rates": {"n": 20, "reliant": 0.15, "interval": [0.05, 0.36]},
            "readings": {"V": 0.9, "leakage": 0.21, "control_share": None},
            "not_applicable": {"control_share": "no control cores"},
        }
        path = folder / "data/audit/LP" / model / "audit.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(content))
    return folder


def test_show_prints_verdict_and_readings(corespot: Corespot, audited: Path) -> None:
    shown = corespot("audit", "show", "LP", "conv1d", cwd=audited)
    assert shown.returncode == 0
    lines = shown.stdout.splitlines()
    assert lines[0] == "LP, conv1d: suspect"
    assert "conv1d on LP: what was found." in lines and "What cannot be said." in lines
    assert any(line.split()[:4] == ["leakage", "0.210", ">", "0.150"] for line in lines)
    assert "  control_share: no control cores" in lines
    assert "Of 20 synthetic fits of conv1d with this verdict, 15 % truly" in shown.stdout
    assert "roc_lda" not in shown.stdout
    both = json.loads(corespot("audit", "show", "--json", cwd=audited).stdout)
    assert [one["model"] for one in both] == ["conv1d", "roc_lda"]
    unknown = corespot("audit", "show", "LP", "conv2d", cwd=audited)
    assert unknown.returncode == 2 and "did you mean 'conv1d'" in unknown.stderr


@pytest.mark.parametrize(
    ("fail_on", "code"),
    [("confounded", 0), ("suspect", 1), ("not_excluded", 1), ("no_evidence", 1), ("suspct", 2)],
)
def test_check_fails_on_a_verdict_or_a_worse_one(
    corespot: Corespot, audited: Path, fail_on: str, code: int
) -> None:
    result = corespot("audit", "check", "--fail-on", fail_on, cwd=audited)
    assert result.returncode == code
    if fail_on == "suspect":
        assert result.stdout.splitlines() == [
            "fails: LP, conv1d: suspect",
            "passes: LP, roc_lda: not excluded",
        ]


def test_synth_puts_control_cores_on_every_tma(corespot: Corespot, tmp_path: Path) -> None:
    made = corespot("synth", "tiny", "cohort", "--control-cores", "2", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    cores = pd.read_csv(tmp_path / "cohort/cores.csv")
    assert cores[cores["control"] == 1].groupby("tma").size().tolist() == [2] * 6
    design = json.loads((tmp_path / "cohort/truth.json").read_text())["settings"]["design"]
    assert design["control_cores"] == 2 and design["name"] == "nested"
    refused = corespot("synth", "tiny", "other", "--control-cores", "-1", cwd=tmp_path)
    assert refused.returncode == 2 and "control_cores" in refused.stderr


@pytest.mark.parametrize("text", ["[]", "{}", "null", '{"format_version": 99}', "not json"])
@pytest.mark.parametrize("command", ["show", "check"])
def test_a_damaged_audit_is_told(
    corespot: Corespot, audited: Path, tmp_path: Path, command: str, text: str
) -> None:
    shutil.copytree(audited / "data", tmp_path / "data")
    (tmp_path / "data/audit/LP/conv1d/audit.json").write_text(text)
    told = corespot("audit", command, cwd=tmp_path)
    assert told.returncode == 2 and "Traceback" not in told.stderr
    assert "audit.json" in told.stderr


def test_check_is_not_green_where_an_audit_is_missing(
    corespot: Corespot, audited: Path, tmp_path: Path
) -> None:
    shutil.copytree(audited / "data", tmp_path / "data")
    tasks = {"LP": PARAMS["tasks"]["LP"]}
    content = {**PARAMS, "tasks": tasks, "models": ["conv1d", "roc_lda", "logistic"]}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content))
    told = corespot("audit", "check", cwd=tmp_path)
    assert told.returncode == 2 and "not audited: LP logistic" in told.stderr
