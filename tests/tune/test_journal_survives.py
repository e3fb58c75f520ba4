"""The journal: half a record left by a kill is mended, and no worker ruins another's study."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path

import optuna
import psutil
import pytest
from study_problem import make_request

from corespot.errors import TuneError
from corespot.tune.journal import open_storage
from corespot.tune.outcome import trials_table
from corespot.tune.processes import plan_workers, terminated_as_interrupted, work_together
from corespot.tune.request import TuningRequest
from corespot.tune.work import open_studies, work

SPAWN = multiprocessing.get_context("spawn")


def finished(request: TuningRequest) -> list[int]:
    storage = open_storage(None, request.folder)
    tables = [trials_table(opened) for opened in open_studies(request, storage)]
    return [
        int(table["state"].isin(["complete", "pruned", "pruned early"]).sum()) for table in tables
    ]


def test_half_a_record_is_cut_off(tmp_path: Path) -> None:
    storage = open_storage(None, tmp_path)
    study = optuna.create_study(storage=storage, study_name="s")
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=3)
    journal = tmp_path / "optuna.journal"
    whole = journal.read_bytes()
    with journal.open("ab") as stream:
        stream.write(b'{"op_code":5,"worker_id":"killed in the mid')
    again = optuna.load_study(storage=open_storage(None, tmp_path), study_name="s")
    assert len(again.trials) == 3
    again.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
    assert journal.read_bytes().startswith(whole)
    third = optuna.load_study(storage=open_storage(None, tmp_path), study_name="s")
    assert [trial.state.name for trial in third.trials] == ["COMPLETE"] * 4


def test_a_database_works_too(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/studies.db"
    request = make_request(tmp_path, trials=2, storage=url)
    work(request)
    storage = open_storage(url, request.folder)
    assert all(len(opened.trials()) == 2 for opened in open_studies(request, storage))
    assert not (request.folder / "optuna.journal").exists()


def test_a_database_out_of_reach_is_told_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(TuneError) as told:
        open_storage("postgresql://me:secret@127.0.0.1:1/none", tmp_path)
    assert "127.0.0.1:1/none" in str(told.value)
    assert "me:secret@" not in str(told.value).split("cannot be opened")[0]


@pytest.mark.slow
def test_two_workers_end_with_exactly_the_trials_asked_for(tmp_path: Path) -> None:
    request = make_request(tmp_path, trials=7)
    plan = plan_workers(2, device="cpu", needed_bytes=0)
    looks: list[int] = []
    work_together(request, plan, on_look=lambda studies: looks.append(len(studies)))
    assert finished(request) == [7, 7]
    assert looks and set(looks) == {2}
    tables = [trials_table(o) for o in open_studies(request, open_storage(None, request.folder))]
    for table in tables:
        assert table["role"].tolist().count("published") == 1
        assert table["number"].tolist() == list(range(len(table)))


@pytest.mark.slow
def test_a_killed_worker_loses_its_running_trial_only(tmp_path: Path) -> None:
    request = make_request(
        tmp_path, model="isotopenet", settings={"epochs": 4, "batch_size": 16}, trials=4
    )
    process = SPAWN.Process(target=work, args=(request,))
    process.start()
    deadline = time.monotonic() + 120
    while sum(finished(request)) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    before = finished(request)
    assert 2 <= sum(before) < 8
    work(request)
    assert finished(request) == [4, 4]
    for opened in open_studies(request, open_storage(None, request.folder)):
        table = trials_table(opened)
        failed = table[table["state"] == "failed"]
        assert len(failed) <= 1
        assert set(failed["reason"]) <= {"its worker died; tried once more"}
        assert table["role"].tolist().count("published") == 1 + int(
            (failed["role"] == "published").sum()
        )


def _parent_of_workers(request: TuningRequest, pids: Path) -> None:
    def note(_: object) -> None:
        pids.write_text(" ".join(str(p.pid) for p in multiprocessing.active_children()))

    work_together(request, plan_workers(2, device="cpu", needed_bytes=0), on_look=note)


def _terminated(request: TuningRequest) -> None:
    terminated_as_interrupted()
    work(request)


@pytest.mark.slow
def test_a_terminated_worker_puts_its_trial_back(tmp_path: Path) -> None:
    """As a cluster ends a job: no orphan, and the try does not count."""
    request = make_request(
        tmp_path, model="isotopenet", settings={"epochs": 400, "batch_size": 16}, trials=1
    )
    process = SPAWN.Process(target=_terminated, args=(request,))
    process.start()
    opened = open_studies(request, open_storage(None, request.folder))[0]
    deadline = time.monotonic() + 60
    while opened.trials()[0].state.name == "WAITING" and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(1.0)
    process.terminate()
    process.join()
    table = trials_table(opened)
    assert table["state"].tolist() == ["failed", "waiting", "waiting"]
    assert table["reason"][0] == "interrupted; tried again"
    assert table["role"].tolist() == ["published", "configured", "published"]


@pytest.mark.slow
def test_workers_end_with_the_process_that_started_them(tmp_path: Path) -> None:
    request, pids = make_request(tmp_path, trials=5000), tmp_path / "pids"
    parent = SPAWN.Process(target=_parent_of_workers, args=(request, pids))
    parent.start()
    deadline = time.monotonic() + 120
    while (not pids.exists() or sum(finished(request)) < 4) and time.monotonic() < deadline:
        time.sleep(0.2)
    workers = [psutil.Process(int(pid)) for pid in pids.read_text().split()]
    assert len(workers) == 2
    os.kill(parent.pid or 0, signal.SIGKILL)
    parent.join()
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert not alive


@pytest.mark.slow
def test_if_every_worker_dies_the_way_on_is_told(tmp_path: Path) -> None:
    request = make_request(tmp_path, trials=400)
    plan = plan_workers(2, device="cpu", needed_bytes=0)

    def kill_all(_: object) -> None:
        for child in multiprocessing.active_children():
            os.kill(child.pid or 0, signal.SIGKILL)

    with pytest.raises(TuneError, match="all 2 workers ended with signal 9; finished trials are"):
        work_together(request, plan, on_look=kill_all)


def test_workers_share_cores_and_take_turns_among_gpus() -> None:
    gib = 2**30
    plan = plan_workers(4, device="auto", needed_bytes=gib, free_bytes=[80 * gib] * 2, n_cores=16)
    assert [dict(env)["CUDA_VISIBLE_DEVICES"] for env in plan.environments] == ["0", "1", "0", "1"]
    assert {dict(env)["OMP_NUM_THREADS"] for env in plan.environments} == {"4"}
    assert plan.note == ""
    tight = plan_workers(4, device="auto", needed_bytes=6 * gib, free_bytes=[17 * gib], n_cores=2)
    assert len(tight.environments) == 2
    assert "2 of 4 workers: each needs about 8.0 GiB" in tight.note
    uneven = plan_workers(
        4, device="auto", needed_bytes=gib, free_bytes=[80 * gib, 3 * gib], n_cores=8
    )
    taken = [dict(env)["CUDA_VISIBLE_DEVICES"] for env in uneven.environments]
    assert taken == ["0", "1", "0", "0"]
    cpu = plan_workers(3, device="cpu", needed_bytes=gib, n_cores=2)
    assert [dict(env) for env in cpu.environments] == [{"OMP_NUM_THREADS": "1"}] * 3
