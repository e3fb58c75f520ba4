"""Studies: blind to the outer test part, counted exactly, pruned with a reason, resumed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import torch
from optuna.trial import TrialState
from study_problem import FREE_BIN, N_BINS, make_request, spectra_of, spot_table

from corespot.cohort.splits import FoldSettings, make_folds
from corespot.errors import ModelError, TuneError
from corespot.io.store import SpectraStore
from corespot.models.spectra_rows import SpectraRows
from corespot.tune import trial as trial_module
from corespot.tune.journal import open_storage
from corespot.tune.liveness import WORKER, Worker
from corespot.tune.outcome import fold_outcome, trials_table, tuning_outcome
from corespot.tune.request import TuningRequest
from corespot.tune.study import OpenStudy, open_study, reserve
from corespot.tune.training_part import split_again, take_training_part
from corespot.tune.trial_rows import best_trial
from corespot.tune.work import open_studies, work


def studies_of(request: TuningRequest) -> list[OpenStudy]:
    return open_studies(request, open_storage(None, request.folder))


def values_of(request: TuningRequest) -> list[list[tuple[dict[str, Any], list[float] | None]]]:
    return [[(t.params, t.values) for t in opened.trials()] for opened in studies_of(request)]


def test_published_is_trial_0_and_what_params_train_with_trial_1(tmp_path: Path) -> None:
    request = make_request(tmp_path, settings={"c": 0.5}, trials=3)
    work(request)
    for opened in studies_of(request):
        first, second, *_ = opened.trials()
        assert first.user_attrs["role"] == "published" and first.params == {"c": 0.01}
        assert second.user_attrs["role"] == "configured" and second.params == {"c": 0.5}
        assert len(opened.trials()) == 3


def test_there_is_a_study_for_every_outer_fold_and_repeat(tmp_path: Path) -> None:
    folds = FoldSettings(group="tma", k=2, repeats=2)
    request = make_request(tmp_path, trials=1, folds=folds)
    assert len({opened.study.study_name for opened in studies_of(request)}) == 4


def test_inner_folds_stay_inside_and_keep_tmas_together(tmp_path: Path) -> None:
    request = make_request(tmp_path)
    store = SpectraStore.open(request.store)
    for fold in request.folds:
        part = take_training_part(store, request.task, fold, "tma")
        inner = split_again(part, request.tune.inner, seed=1)
        assert inner.grouping == "tma"
        test_tmas = set(fold.test_groups)
        assert not set(part.task.group_of("tma")) & test_tmas
        assert not set(part.task.rows) & set(fold.test_rows)
        for one in inner.folds:
            tmas = part.task.group_of("tma")
            assert not set(tmas[one.train]) & set(tmas[one.test])
            assert sorted([*one.train, *one.test]) == list(range(len(part.x)))


def poisoned(fold: int, plant: bool) -> np.ndarray:
    """Spectra whose free bin tells the class on the test TMAs of one outer fold, and only there."""
    spots = spot_table()
    spectra = spectra_of(spots)
    from study_problem import TASK

    from corespot.cohort.tasks import select_spots

    task = select_spots(spots, "T", TASK)
    test = make_folds(task, FoldSettings(group="tma", k=2)).fold(0, fold).test_rows
    if plant:
        spectra[test, FREE_BIN] = 100.0 * (spots["kind"].to_numpy()[test] == "a")
    return spectra


def test_tuning_cannot_see_a_leak_planted_in_the_outer_test_tmas(tmp_path: Path) -> None:
    """The study of fold i is the same to the last bit with and without it; the other's is not."""
    clean = make_request(tmp_path / "clean", poisoned(0, plant=False), trials=4)
    leaky = make_request(tmp_path / "leaky", poisoned(0, plant=True), trials=4)
    for request in (clean, leaky):
        work(request)
    mine, other = 0, 1
    assert values_of(clean)[mine] == values_of(leaky)[mine]
    names = [[s.study.study_name for s in studies_of(r)] for r in (clean, leaky)]
    assert names[0][mine] == names[1][mine]
    # The leak is worth having for who sees it: fold 1 trains on these TMAs and does.
    assert values_of(clean)[other] != values_of(leaky)[other]
    assert names[0][other] != names[1][other]


def test_only_training_rows_are_ever_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request = make_request(tmp_path, trials=2)
    read: list[np.ndarray] = []
    get = SpectraRows.__getitem__
    monkeypatch.setattr(
        SpectraRows, "__getitem__", lambda self, at: (read.append(self.rows[at]), get(self, at))[1]
    )
    opened = studies_of(request)[0]
    read.clear()
    with Worker(request.folder) as worker:
        reserved = reserve(opened, worker, trials=2)
        assert isinstance(reserved, optuna.Trial)
        trial_module.run_trial(opened, reserved, worker)
    assert read
    assert not set(np.concatenate(read)) & set(request.folds.fold(0, 0).test_rows)


def test_an_interrupted_study_goes_on_and_ends_like_an_uninterrupted_one(tmp_path: Path) -> None:
    whole = make_request(tmp_path / "whole", trials=6)
    work(whole)
    first = make_request(tmp_path / "parts", trials=3)
    work(first)
    again = make_request(tmp_path / "parts", trials=6)
    work(again)
    assert values_of(whole) == values_of(again)


def test_more_trials_go_on_other_data_begins_anew(tmp_path: Path) -> None:
    names = {}
    for label, change in {
        "same": {},
        "more": {"trials": 9},
        "sampler": {"sampler": "random"},
        "inner": {"inner": {"k": 3, "repeats": 1}},
        "metric": {"metric": "core"},
        "settings": {"settings": {"max_iterations": 50}},
        "searched": {"settings": {"c": 7.0}},
        "space": {"space": {"c": [0.01, 0.1]}},
        "seed": {"seed": 5},
    }.items():
        request = make_request(tmp_path, **change)  # type: ignore[arg-type]
        names[label] = request.subject(request.folds.fold(0, 0)).study_name
    assert names["same"] == names["more"] == names["sampler"] == names["searched"]
    assert len(set(names.values())) == 6


def test_an_orphan_is_failed_and_tried_once_more(tmp_path: Path) -> None:
    request = make_request(tmp_path, trials=3)
    opened = studies_of(request)[0]

    def die() -> optuna.Trial:
        with Worker(request.folder) as worker:
            taken = reserve(opened, worker, trials=3)
            assert isinstance(taken, optuna.Trial)
            taken.suggest_float("c", 1e-5, 10.0, log=True)
            return taken

    first = die()  # its lock is free again: the process is no more
    second = die()
    assert second.params == first.params
    assert second.user_attrs["retry_of"] == first.number
    assert second.user_attrs["role"] == "published"
    work(request)
    states = [trial.state for trial in opened.trials()]
    assert states.count(TrialState.FAIL) == 2
    assert states.count(TrialState.COMPLETE) == 3
    # Died twice: given up, not tried a third time.
    assert "given up" in opened.trials()[second.number].user_attrs["reason"]
    assert not [t for t in opened.trials() if t.user_attrs.get("retry_of") == second.number]


def test_a_trial_of_a_living_worker_is_left_alone(tmp_path: Path) -> None:
    request = make_request(tmp_path, trials=1)
    opened = studies_of(request)[0]
    with Worker(request.folder) as one, Worker(request.folder) as other:
        taken = reserve(opened, one, trials=1)
        assert isinstance(taken, optuna.Trial)
        assert reserve(opened, other, trials=1) == "wait"
        assert opened.trials()[0].state == TrialState.RUNNING
        assert opened.trials()[0].user_attrs[WORKER] == one.name


def test_a_silent_worker_of_another_machine_is_dead_after_a_while(tmp_path: Path) -> None:
    import time

    with Worker(tmp_path) as worker:
        now = time.time()
        assert not worker.knows_dead({"worker": "elsewhere:abc", "seen": now - 60})
        assert worker.knows_dead({"worker": "elsewhere:abc", "seen": now - 300})
        assert worker.knows_dead({})


def test_impossible_settings_are_pruned_with_their_reason(tmp_path: Path) -> None:
    space = {"kernel": [3, 9], "growth": [2, 5]}
    left_out = ("channels", "maps", "dropout", "learning_rate", "weight_decay", "batch_size")
    request = make_request(
        tmp_path,
        model="dilated",
        settings={"epochs": 1},
        space={**space, **dict.fromkeys(left_out)},
        trials=20,
        sampler="random",
    )
    opened = studies_of(request)[0]
    work(request)
    table = trials_table(opened)
    for row in table.to_dict("records"):
        impossible = json.loads(row["params"]) == {"kernel": 3, "growth": 5}
        assert (row["state"] == "pruned") == impossible
        assert ("growth must be at most 2" in row["reason"]) == impossible
    assert (table["state"] == "pruned").any()
    assert len(table) == 20


def test_equal_settings_are_not_computed_twice(tmp_path: Path) -> None:
    request = make_request(tmp_path, space={"c": [0.01, 0.1]}, trials=6)
    work(request)
    outcome = fold_outcome(studies_of(request)[0])
    assert outcome["trials"] == 6
    assert outcome["inner_fits"] == 2 * outcome["inner_folds"]


def test_out_of_memory_prunes_and_a_smaller_batch_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def score(*_: Any, settings: dict[str, Any], **__: Any) -> float:
        asked.append(settings["batch_size"])
        if settings["batch_size"] > 32:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB")
        return 0.7

    monkeypatch.setattr(trial_module, "score_inner_fold", score)
    names = ("dropout", "local_kernel", "learning_rate", "weight_decay")
    request = make_request(
        tmp_path, model="isotopenet", space=dict.fromkeys(names), trials=5, sampler="random"
    )
    opened = studies_of(request)[0]
    work(request)
    table = trials_table(opened)
    assert asked[:4] == [256, 128, 64, 32]  # the published 256, halved until it fits
    assert table["state"].tolist()[:4] == ["pruned", "pruned", "pruned", "complete"]
    assert "out of memory at batch_size 256; tried again with batch_size 128" in table["reason"][0]
    assert table["smaller_batch_of"].tolist()[1:4] == [0, 1, 2]
    outcome = fold_outcome(opened)
    assert outcome["published_value"] == 0.7
    assert outcome["published_adapted"] == {"batch_size": 256}


def test_divergence_prunes_a_bug_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request = make_request(tmp_path, trials=2)
    errors: list[Exception] = [ModelError("the training loss is nan"), ZeroDivisionError("bug")]

    def score(*_: Any, **__: Any) -> float:
        raise errors.pop(0)

    monkeypatch.setattr(trial_module, "score_inner_fold", score)
    opened = studies_of(request)[0]
    with pytest.raises(ZeroDivisionError):
        work(request)
    table = trials_table(opened)
    assert table["state"].tolist() == ["pruned", "failed"]
    assert table["reason"][0] == "the training loss is nan"
    assert "bug" in table["reason"][1]
    with pytest.raises(TuneError, match="the training loss is nan"):
        fold_outcome(opened)


def scripted(values: dict[float, list[float]]) -> Any:
    """Scores by setting and inner fold, in place of fits."""

    def score(_: Any, fold: Any, *, settings: dict[str, Any], **__: Any) -> float:
        return values[settings["c"]][fold.number]

    return score


def test_a_loser_is_stopped_between_folds_keeps_its_mean_and_is_never_best(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    n = 6
    good, bad = [0.8 + 0.01 * i for i in range(n)], [0.6 + 0.01 * i for i in range(n)]
    monkeypatch.setattr(trial_module, "score_inner_fold", scripted({0.01: good, 0.5: bad}))
    proposed = {"space": {"c": [0.01, 0.5]}, "inner": {"k": 2, "repeats": 3}, "sampler": "random"}
    request = make_request(tmp_path, trials=6, **proposed)
    opened = studies_of(request)[0]
    work(request)
    winner = opened.trials()[0]
    loser = next(t for t in opened.trials() if t.params["c"] == 0.5)
    assert len(winner.intermediate_values) == n
    seen = loser.intermediate_values
    assert 2 <= len(seen) < n
    assert loser.values[0] == pytest.approx(np.mean(list(seen.values())))
    table = trials_table(opened)
    assert table["state"][loser.number] == "pruned early"
    assert "signed-rank" in table["reason"][loser.number]
    assert best_trial(opened.trials()) == winner
    # The same without pruning sees all folds.
    plain = make_request(tmp_path, trials=6, pruner="none", **proposed)
    work(plain)
    assert all(len(t.intermediate_values) == n for t in studies_of(plain)[0].trials())


def test_folds_are_visited_in_an_order_of_each_trials_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders: list[list[int]] = []

    def score(_: Any, fold: Any, **__: Any) -> float:
        if not orders or len(orders[-1]) == n:
            orders.append([])
        orders[-1].append(fold.number)
        return 0.5

    monkeypatch.setattr(trial_module, "score_inner_fold", score)
    request = make_request(tmp_path, trials=3, inner={"k": 2, "repeats": 3}, pruner="none")
    n = len(request.subject(request.folds.fold(0, 0)).inner.folds)
    work(request)
    assert all(sorted(order) == list(range(n)) for order in orders)
    assert len({tuple(order) for order in orders}) > 1


def test_the_median_rule_stops_after_an_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def score(*_: Any, settings: dict[str, Any], on_epoch: Any, **__: Any) -> float:
        learns = settings["learning_rate"] > 1e-6
        for epoch in range(8):
            on_epoch({"test_balanced_accuracy": 0.5 + 0.05 * epoch * learns})
        return 0.85 if learns else 0.5

    monkeypatch.setattr(trial_module, "score_inner_fold", score)
    names = ("dropout", "local_kernel", "weight_decay", "batch_size")
    rates = [0.001, 0.01, 0.02, 0.005, 0.003, 0.002, 1e-9, 2e-9, 3e-9]
    request = make_request(
        tmp_path,
        model="isotopenet",
        settings={"epochs": 8},
        space={**dict.fromkeys(names), "learning_rate": rates},
        trials=40,
        pruner="median",
        sampler="random",
    )
    opened = studies_of(request)[0]
    work(request)
    table = trials_table(opened)
    stopped = table[table["state"] == "pruned"]
    assert len(stopped)
    for row in stopped.to_dict("records"):
        assert json.loads(row["params"])["learning_rate"] < 1e-6
        assert "epoch 3: 0.500 at best, the median of" in row["reason"]  # a quarter is left alone
        attributes = opened.trials()[row["number"]].user_attrs
        curves = [v for name, v in attributes.items() if name.startswith("curve_")]
        assert min(map(len, curves)) == 3  # partial values are kept
        assert list(json.loads(row["inner_folds"]).values())[-1] == 0.5
    learning = table[[json.loads(p)["learning_rate"] > 1e-6 for p in table["params"]]]
    assert set(learning["state"]) == {"complete"}


def test_not_nested_is_one_study_and_says_so(tmp_path: Path) -> None:
    request = make_request(tmp_path, nested=False, trials=2)
    work(request)
    opened = studies_of(request)
    assert len(opened) == 1
    outcome = tuning_outcome(request, opened)
    assert outcome["nested"] is False
    assert "optimistic" in outcome["note"]


def test_time_up_starts_no_further_trial(tmp_path: Path) -> None:
    request = make_request(tmp_path, trials=500, timeout=1.0)
    work(request)
    assert 1 <= len(studies_of(request)[0].trials()) < 500


@pytest.mark.parametrize("sampler", ["tpe", "gp", "random"])
def test_every_sampler_works_and_is_seeded(tmp_path: Path, sampler: str) -> None:
    found = []
    for name in ("one", "two"):
        request = make_request(
            tmp_path / name, trials=12, sampler=sampler, folds=FoldSettings(group="tma", k=2)
        )
        work(request)
        found.append(values_of(request))
    assert found[0] == found[1]


def test_the_outcome_compares_with_the_published_setting_on_the_same_folds(tmp_path: Path) -> None:
    request = make_request(tmp_path, trials=6)
    work(request)
    for opened in studies_of(request):
        outcome = fold_outcome(opened)
        published = opened.trials()[0]
        assert outcome["published_value"] == published.values[0]
        assert outcome["gain"] == outcome["best_value"] - outcome["published_value"] >= 0
        assert set(outcome["settings"]) == {"c"}


def test_two_tmas_left_are_split_by_patient(tmp_path: Path) -> None:
    folds = FoldSettings(group="tma", k=2)
    request = make_request(
        tmp_path, spots=spot_table(n_tmas=2), spectra=spectra_of(spot_table(2)), folds=folds
    )
    subject = request.subject(request.folds.fold(0, 0))
    assert subject.inner.grouping == "patient"
    assert subject.n_bins == N_BINS


def test_cores_are_never_split_by_inner_folds(tmp_path: Path) -> None:
    request = make_request(
        tmp_path,
        spots=spot_table(n_tmas=2),
        spectra=spectra_of(spot_table(2)),
        inner={"k": 4, "repeats": 1},
    )
    with pytest.raises(TuneError, match="would have to split cores"):
        _ = request.subject(request.folds.fold(0, 0)).inner


def test_open_study_is_the_same_one_again(tmp_path: Path) -> None:
    request = make_request(tmp_path)
    storage = open_storage(None, request.folder)
    fold = request.folds.fold(0, 0)
    one, two = (open_study(storage, request.subject(fold)) for _ in range(2))
    assert one.study.study_name == two.study.study_name
    assert len(two.trials()) == 1  # the published setting is enqueued once


def test_spectra_held_on_a_device_give_the_same_fit(tmp_path: Path) -> None:
    """As on a GPU, where all trials of a study share what was brought there once."""
    from corespot.train.estimator import make_estimator

    request = make_request(tmp_path)
    part = request.subject(request.folds.fold(0, 0)).part
    held = part.held_on(torch.device("cpu"))
    assert held is not None and part.held_on(torch.device("cpu")) is held
    train, test = np.arange(0, 40), np.arange(40, len(part.x))
    settings = {"epochs": 2, "batch_size": 16}
    plain, shared = (make_estimator("isotopenet", settings, seed=3, device="cpu") for _ in "ab")
    plain.fit(part.x[train], part.labels[train])
    shared.fit(part.x[train], part.labels[train], held=held.take(train))
    assert np.array_equal(
        plain.predict_proba(part.x[test]), shared.predict_proba(part.x[test], held=held.take(test))
    )
    with pytest.raises(ModelError, match="are held on cpu"):
        shared.predict_proba(part.x[test], held=held.take(train))


@pytest.mark.gpu
def test_a_study_brings_its_spectra_to_the_gpu_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no accelerator")
    from dataclasses import replace

    from corespot.tune import training_part

    brought: list[int] = []
    hold_on = training_part.hold_on
    monkeypatch.setattr(
        training_part, "hold_on", lambda x, at: (brought.append(len(x)), hold_on(x, at))[1]
    )
    request = make_request(tmp_path, model="isotopenet", settings={"epochs": 1}, trials=3)
    work(replace(request, device="cuda"))
    assert len(brought) == 2  # two outer folds
    for opened in studies_of(request):
        assert {trial.state.name for trial in opened.trials()} == {"COMPLETE"}


def test_repeats_of_inner_folds_differ_and_none_is_there_twice(tmp_path: Path) -> None:
    request = make_request(tmp_path, inner={"k": 2, "repeats": 6})
    inner = request.subject(request.folds.fold(0, 0)).inner
    tests = [tuple(fold.test) for fold in inner.folds]
    # Four TMAs are dealt two and two: three ways, six different test parts.
    assert len(tests) == len(set(tests)) == 6
    assert [fold.number for fold in inner.folds] == list(range(6))


def test_a_setting_of_params_that_changed_since_is_tried_too(tmp_path: Path) -> None:
    work(make_request(tmp_path, settings={"c": 0.5}, trials=2))
    changed = make_request(tmp_path, settings={"c": 5.0}, trials=3)
    work(changed)
    opened = studies_of(changed)[0]
    assert [t.params["c"] for t in opened.trials()] == [0.01, 0.5, 5.0]
    assert fold_outcome(opened)["configured_value"] == opened.trials()[2].values[0]


def test_an_orphan_killed_while_it_was_asking_is_tried_with_its_whole_setting(
    tmp_path: Path,
) -> None:
    request = make_request(tmp_path, model="isotopenet", settings={"epochs": 1}, trials=1)
    opened = studies_of(request)[0]
    with Worker(request.folder) as worker:
        taken = reserve(opened, worker, trials=1)
        assert isinstance(taken, optuna.Trial)
        taken.suggest_float("learning_rate", 1e-5, 5e-2, log=True)  # and then the kill
    with Worker(request.folder) as worker:
        again = reserve(opened, worker, trials=1)
        assert isinstance(again, optuna.Trial)
    wanted = opened.trials()[0].system_attrs["fixed_params"]
    assert opened.trials()[again.number].system_attrs["fixed_params"] == wanted


def test_a_kill_between_successor_and_end_leaves_one_successor(tmp_path: Path) -> None:
    from corespot.tune.successors import enqueue_successor

    request = make_request(tmp_path, trials=2)
    opened = studies_of(request)[0]
    with Worker(request.folder) as worker:
        taken = reserve(opened, worker, trials=2)
        assert isinstance(taken, optuna.Trial)
        enqueue_successor(opened.study, opened.trials()[taken.number], {}, "retry_of")
    work(request)  # the first one is still running, for all anyone can tell
    table = trials_table(opened)
    assert (table["retry_of"] == taken.number).sum() == 1
    assert table["state"].tolist().count("complete") == 2


def test_the_published_setting_is_seen_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = [0.9 + 0.01 * i for i in range(6)], [0.5 + 0.01 * i for i in range(6)]
    monkeypatch.setattr(trial_module, "score_inner_fold", scripted({0.5: good, 0.01: bad}))
    request = make_request(
        tmp_path,
        settings={"c": 0.5},
        space={"c": [0.01, 0.5]},
        trials=2,
        inner={"k": 2, "repeats": 3},
    )
    opened = studies_of(request)[0]
    with Worker(request.folder) as worker:
        published = reserve(opened, worker, trials=2)
        configured = reserve(opened, worker, trials=2)
        assert isinstance(published, optuna.Trial) and isinstance(configured, optuna.Trial)
        trial_module.run_trial(opened, configured, worker)
        trial_module.run_trial(opened, published, worker)
    assert fold_outcome(opened)["published_value"] == pytest.approx(np.mean(bad))


def test_a_setting_of_params_is_not_taken_over_from_a_trial_stopped_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = [0.8 + 0.01 * i for i in range(6)], [0.6 + 0.01 * i for i in range(6)]
    monkeypatch.setattr(trial_module, "score_inner_fold", scripted({0.01: good, 0.5: bad}))
    space = {"space": {"c": [0.01, 0.5]}, "inner": {"k": 2, "repeats": 3}, "sampler": "random"}
    first = make_request(tmp_path, trials=6, **space)
    work(first)
    opened = studies_of(first)[0]
    assert any(t.params["c"] == 0.5 and t.user_attrs["pruned_early"] for t in opened.trials())
    second = make_request(tmp_path, settings={"c": 0.5}, trials=7, **space)
    work(second)
    added = opened.trials()[6]
    assert fold_outcome(studies_of(second)[0])["configured_value"] == pytest.approx(np.mean(bad))
    assert added.user_attrs["role"] == "configured" and len(added.intermediate_values) == 6
