"""Kill the workers of a study at random, ten times: no finished trial is lost or counted twice.

    python -m benchmarks.tuning.kills [--kills 10] [--workers 2] [--trials 24] [--seed 1]

Two processes work on two studies of conv1d. After a random time one or all of them get SIGKILL,
and are started again. Every trial that was finished before a kill must be there afterwards, with
the same value; in the end each study must hold exactly the trials asked for.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import signal
import tempfile
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

from benchmarks.tuning.problem import make_request

from corespot.tune.journal import open_storage
from corespot.tune.outcome import trials_table
from corespot.tune.request import TuningRequest
from corespot.tune.work import open_studies, work

OVER = ("complete", "pruned", "pruned early")


def finished(request: TuningRequest) -> dict[tuple[str, int], float]:
    """Value of every finished trial by study and number."""
    storage = open_storage(None, request.folder)
    return {
        (row["study"], row["number"]): row["value"]
        for opened in open_studies(request, storage)
        for row in trials_table(opened).to_dict("records")
        if row["state"] in OVER
    }


def same(a: float, b: float) -> bool:
    return a == b or (a != a and b != b)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    dice = random.Random(given.seed)
    context = multiprocessing.get_context("spawn")
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        request = make_request(
            Path(folder), model="conv1d", trials=given.trials, settings={"epochs": 4}
        )
        workers: list[BaseProcess] = []
        lost = changed = kills = in_half = 0
        journal = request.folder / "optuna.journal"
        while kills < given.kills:
            while len(workers) < given.workers:
                workers.append(context.Process(target=work, args=(request,)))
                workers[-1].start()
            time.sleep(dice.uniform(3.0, 12.0))
            if not any(worker.is_alive() for worker in workers):
                break
            before = finished(request)
            victims = workers if dice.random() < 0.5 else [dice.choice(workers)]
            for victim in list(victims):
                os.kill(victim.pid or 0, signal.SIGKILL)
            for victim in list(victims):
                victim.join()
            workers = [worker for worker in workers if worker.is_alive()]
            kills += 1
            in_half += not journal.read_bytes().endswith(b"\n")
            after = finished(request)
            lost += sum(key not in after for key in before)
            changed += sum(key in after and not same(before[key], after[key]) for key in before)
            print(f"kill {kills}: {len(before)} finished before, {len(after)} after", flush=True)
        for worker in workers:
            worker.join()
        work(request)
        storage = open_storage(None, request.folder)
        tables = [trials_table(opened) for opened in open_studies(request, storage)]
        result = {
            "kills": kills,
            "finished_trials_lost": lost,
            "finished_trials_changed": changed,
            "journals_left_with_half_a_record": in_half,
            "trials_asked_for": given.trials,
            "trials_finished": [int(t["state"].isin(OVER).sum()) for t in tables],
            "orphans": [int((t["state"] == "failed").sum()) for t in tables],
            "numbers_used_twice": [int(t["number"].duplicated().sum()) for t in tables],
        }
    print(json.dumps(result, indent=2))
    fine = lost == changed == 0 and set(result["trials_finished"]) == {given.trials}
    raise SystemExit(0 if fine else 1)


if __name__ == "__main__":
    main()
