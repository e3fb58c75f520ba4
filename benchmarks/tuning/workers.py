"""Two workers against one: time to the same number of trials of the same studies.

    python -m benchmarks.tuning.workers [--trials 12] [--rounds 2]

Fresh studies each time, one and two workers in turn. One worker has the threads that it takes by
default; two share the cores.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.tuning.problem import make_request

from corespot.tune.processes import plan_workers, work_together


def timed(n_workers: int, trials: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        request = make_request(
            Path(folder), model="isotopenet", trials=trials, settings={"epochs": 4}, n_bins=3200,
            pruner="none", sampler="random",
        )  # fmt: skip
        plan = plan_workers(n_workers, device="cpu", needed_bytes=0)
        started = time.perf_counter()
        work_together(request, plan, on_look=lambda studies: None)
        return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args()
    seconds: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(given.rounds):
        for n_workers in seconds:
            seconds[n_workers].append(timed(n_workers, given.trials))
            print(f"{n_workers} workers: {seconds[n_workers][-1]:.1f} s", flush=True)
    result = {
        "cores": len(os.sched_getaffinity(0)),
        "trials": 2 * given.trials,
        "one_worker_s": [round(s, 1) for s in seconds[1]],
        "two_workers_s": [round(s, 1) for s in seconds[2]],
        "ratio": round(median(seconds[1]) / median(seconds[2]), 2),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
