"""The stage: what it leaves, what MLflow shows of it, and how training takes it up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from study_problem import make_request

from corespot.cohort.splits import FoldSettings
from corespot.errors import StoreError
from corespot.io.artifacts import read_json, read_table
from corespot.io.store import SpectraStore
from corespot.report.html import load_figure_json
from corespot.tracking.fold_records import TrainingRequest
from corespot.tracking.runs import start_run
from corespot.tracking.training import train_and_record
from corespot.train.tuned import read_tuned, write_untuned
from corespot.tune.request import TuningRequest
from corespot.tune.stage import run_studies, tune_and_record

TRIALS = 6


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def tune(request: TuningRequest, home: Path, **options: Any) -> dict[str, Any]:
    given = {"workers": 1, "cohort": "data/raw/small", "uri": None, **options}
    tune_and_record(request, home / "out", **given)
    content: dict[str, Any] = read_json(home / "out" / "tuned.json")
    return content


def runs(home: Path) -> Any:
    mlflow.set_tracking_uri(f"sqlite:///{home}/mlruns/mlflow.db")
    return mlflow.search_runs(search_all_experiments=True, max_results=1000)


def test_the_output_holds_settings_trials_page_and_figures(home: Path) -> None:
    content = tune(make_request(home, trials=TRIALS), home)
    assert [(fold["repeat"], fold["fold"]) for fold in content["folds"]] == [(0, 0), (0, 1)]
    trials = read_table(home / "out" / "trials.parquet")
    assert len(trials) == 2 * TRIALS
    page = (home / "out" / "tuning.html").read_text()
    assert "What was gained" in page and "Repeat 0, fold 1" in page
    folder = home / "out" / "studies" / "repeat0-fold0"
    for name in ("history", "importances", "parallel_coordinates", "slice", "timeline"):
        assert len(load_figure_json(folder / f"{name}.json").data) > 0


def test_mlflow_holds_a_run_a_study_and_a_child_a_trial(home: Path) -> None:
    request = make_request(
        home, trials=TRIALS, keep_folds=True, space={"c": [0.001, 0.01, 0.1, 1.0]}
    )
    content = tune(request, home)
    table = runs(home)
    studies = table[table["tags.level"] == "study"]
    assert sorted(studies["tags.study"]) == sorted(fold["study"] for fold in content["folds"])
    assert set(studies["status"]) == {"FINISHED"}
    for fold in content["folds"]:
        (study,) = studies[studies["tags.study"] == fold["study"]].to_dict("records")
        assert study["metrics.best_value"] == pytest.approx(fold["best_value"])
        trials = table[table["tags.mlflow.parentRunId"] == study["run_id"]]
        assert sorted(trials["tags.trial"].astype(int)) == list(range(TRIALS))
        best = trials[trials["tags.trial"] == str(fold["best_trial"])].iloc[0]
        assert best["metrics.value"] == pytest.approx(fold["best_value"])
        assert float(best["params.c"]) == fold["settings"]["c"]
        assert (trials["tags.role"] == "published").sum() == 1
        grandchildren = table[table["tags.mlflow.parentRunId"] == best["run_id"]]
        values = grandchildren["metrics.value"].to_numpy()
        assert np.mean(values) == pytest.approx(fold["best_value"])


def test_what_is_done_again_is_neither_run_nor_logged_again(home: Path) -> None:
    first = tune(make_request(home, trials=TRIALS), home)
    n_runs = len(runs(home))
    second = tune(make_request(home, trials=TRIALS), home)
    assert len(runs(home)) == n_runs
    seconds = [[fold.pop("seconds") for fold in one["folds"]] for one in (first, second)]
    assert first == second and seconds[0] == seconds[1]


def test_more_trials_go_on_in_the_same_run_also_if_they_find_another_setting(home: Path) -> None:
    space = {"c": [1e-5, 0.01, 0.1, 1.0, 10.0]}
    few = tune(make_request(home, trials=1, space=space), home)
    more = tune(make_request(home, trials=9, space=space), home)
    assert [fold["settings"] for fold in few["folds"]] != [f["settings"] for f in more["folds"]]
    table = runs(home)
    studies = table[table["tags.level"] == "study"]
    assert len(studies) == 2 and set(studies["status"]) == {"FINISHED"}
    for fold in more["folds"]:
        (study,) = studies[studies["tags.study"] == fold["study"]].to_dict("records")
        assert json.loads(study["tags.best.c"]) == fold["settings"]["c"]


def test_training_is_told_no_more_than_it_needs(home: Path) -> None:
    tune(make_request(home, trials=TRIALS), home)
    before = (home / "out" / "settings.json").read_bytes()
    tune(make_request(home, trials=TRIALS, sampler="random"), home)
    assert (home / "out" / "settings.json").read_bytes() == before


def test_a_run_left_half_written_is_logged_again(home: Path) -> None:
    tune(make_request(home, trials=2), home)
    client = mlflow.MlflowClient(f"sqlite:///{home}/mlruns/mlflow.db")
    table = runs(home)
    child = table[(table["tags.level"] == "trial")].iloc[0]
    client.update_run(child["run_id"], status="RUNNING")
    tune(make_request(home, trials=3), home)
    trials = runs(home)
    trials = trials[trials["tags.level"] == "trial"]
    assert len(trials) == 6 and (trials["status"] == "FINISHED").all()


def test_a_study_that_was_stopped_goes_on_in_the_same_run(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = make_request(home, trials=TRIALS)
    from corespot.tune import stage

    def interrupted(given: TuningRequest, *, on_trial: Any) -> None:
        from dataclasses import replace

        from corespot.tune.work import work

        work(replace(given, trials=2), on_trial=on_trial)
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(stage, "work", interrupted)
        with pytest.raises(KeyboardInterrupt):
            tune(request, home)
    assert not (home / "out").exists()
    table = runs(home)
    assert set(table[table["tags.level"] == "study"]["status"]) == {"KILLED"}
    assert (table["tags.level"] == "trial").sum() == 4
    tune(request, home)
    table = runs(home)
    studies = table[table["tags.level"] == "study"]
    assert len(studies) == 2 and set(studies["status"]) == {"FINISHED"}
    assert (table["tags.level"] == "trial").sum() == 2 * TRIALS


def training(request: TuningRequest, tuned: Any, settings: dict[str, Any]) -> TrainingRequest:
    return TrainingRequest(
        store=SpectraStore.open(request.store),
        task=request.task,
        folds=request.folds,
        model=request.model,
        settings=settings,
        seed=1,
        device="cpu",
        n_bootstrap=100,
        tuned=tuned,
    )


def test_each_fold_is_trained_with_its_own_setting(home: Path) -> None:
    request = make_request(home, trials=TRIALS)
    content = tune(request, home)
    tuned = read_tuned(home / "out" / "settings.json", request.folds)
    with start_run("T logistic", experiment="small", tags={}) as run:
        train_and_record(
            training(request, tuned, {"c": 3.0}), run, home / "train", home / "checkpoints"
        )
    table = runs(home)
    folds = table[table["tags.level"] == "fold"]
    for fold in content["folds"]:
        of_fold = folds[folds["params.fold"] == str(fold["fold"])].iloc[0]
        assert float(of_fold["params.train.c"]) == fold["settings"]["c"]
        saved = read_json(home / "train" / "models" / f"repeat0-fold{fold['fold']}" / "model.json")
        assert json.dumps(fold["settings"]["c"]) in json.dumps(saved)
    metrics = read_json(home / "train" / "metrics.json")
    assert metrics["tuning"]["kind"] == "nested"


def test_tuned_settings_of_other_folds_are_refused(home: Path) -> None:
    request = make_request(home, trials=2)
    tune(request, home)
    other = make_request(home, trials=2, folds=FoldSettings(group="tma", k=4))
    with pytest.raises(StoreError, match="may have seen test spots"):
        read_tuned(home / "out" / "settings.json", other.folds)


def test_a_model_that_is_not_tuned_trains_as_before(home: Path) -> None:
    request = make_request(home)
    write_untuned(home / "out", "T", "logistic")
    tuned = read_tuned(home / "out" / "settings.json", request.folds)
    assert tuned.kind == "none"
    assert all(tuned.of(fold) == {} for fold in request.folds)


def test_without_nesting_one_setting_serves_all_folds_and_is_told(home: Path) -> None:
    request = make_request(home, nested=False, trials=3)
    content = tune(request, home)
    tuned = read_tuned(home / "out" / "settings.json", request.folds)
    assert tuned.kind == "hold-in"
    assert {tuned.of(fold)["c"] for fold in request.folds} == {content["folds"][0]["settings"]["c"]}
    assert "Optimistic: tuned once" in (home / "out" / "tuning.html").read_text()


@pytest.mark.slow
def test_two_shells_log_each_trial_once(home: Path) -> None:
    import multiprocessing

    request = make_request(home, trials=TRIALS)
    context = multiprocessing.get_context("spawn")
    options = {"workers": 1, "cohort": "data/raw/small", "uri": None}
    shells = [
        context.Process(target=run_studies, args=(request,), kwargs=options) for _ in range(2)
    ]
    for shell in shells:
        shell.start()
    for shell in shells:
        shell.join()
    assert [shell.exitcode for shell in shells] == [0, 0]
    content = tune(request, home)
    table = runs(home)
    assert (table["tags.level"] == "study").sum() == 2
    trials = table[table["tags.level"] == "trial"]
    assert len(trials) == sum(fold["trials"] for fold in content["folds"]) == 2 * TRIALS
