"""Synthetic fits side by side: processes that end with the one that started them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from threading import Thread

from corespot.audit.calibration.record import Record, append_records
from corespot.audit.calibration.study_fits import Job, simulate
from corespot.errors import AuditError, FoldError, ModelError
from corespot.progress import progress_off, track
from corespot.threads import available_cores

#: Called with the seconds that the first cohort took.
OnFirst = Callable[[float], None]


@dataclass(frozen=True)
class Done:
    """What a job came to.

    Parameters
    ----------
    records : tuple of Record
        Its fits; none where it failed.
    seconds : float
        Wall time.
    failure : str
        Why there are none.
    """

    records: tuple[Record, ...]
    seconds: float
    failure: str = ""


def run_jobs(
    jobs: Sequence[Job], path: Path, *, workers: int, on_first: OnFirst = lambda seconds: None
) -> tuple[list[Record], list[str]]:
    """Do jobs and append their records to a file as they come.

    Parameters
    ----------
    jobs : sequence of Job
        What is missing.
    path : Path
        File of records, one a line.
    workers : int
        Processes; with one, the work is done in this one.
    on_first : callable
        Called once, with the seconds the first cohort took.

    Returns
    -------
    records : list of Record
        All that were made.
    failures : list of str
        Why the others were not: a network that diverged, inner folds that could not be dealt.

    Raises
    ------
    AuditError
        If all failed, or a process ended by itself, as it does where memory is short.
    """
    records: list[Record] = []
    failures: list[str] = []
    results = map(_do, jobs) if workers == 1 else _side_by_side(jobs, workers)
    for number, done in enumerate(
        track(results, label="calibrate", unit="cohorts", total=len(jobs))
    ):
        append_records(path, done.records)
        if not number:
            on_first(done.seconds)
        records += done.records
        failures += [done.failure] if done.failure else []
    if jobs and len(failures) == len(jobs):
        raise AuditError(f"none of {len(jobs)} cohorts could be simulated: {failures[0]}")
    return records, failures


def _do(job: Job) -> Done:
    started = time.perf_counter()
    records: list[Record] = []
    failure = ""
    with warnings.catch_warnings():
        # What a library warns of hundreds of synthetic fits nobody can act on.
        warnings.simplefilter("ignore")
        try:
            records = simulate(job)
        except (FoldError, ModelError) as error:
            failure = f"cohort {job.seed}: {error}"
    return Done(tuple(records), time.perf_counter() - started, failure)


def _side_by_side(jobs: Sequence[Job], workers: int) -> Iterator[Done]:
    n_workers = min(workers, max(len(jobs), 1))
    threads = max(1, available_cores() // n_workers)
    others = set(multiprocessing.active_children())
    with _environment(OMP_NUM_THREADS=str(threads)):
        pool = ProcessPoolExecutor(
            n_workers, multiprocessing.get_context("spawn"), _start_worker, (threads,)
        )
        try:
            for future in as_completed([pool.submit(_do, job) for job in jobs]):
                yield future.result()
        except BaseException as error:
            # Nobody waits for what is being done.
            pool.shutdown(wait=False, cancel_futures=True)
            for process in set(multiprocessing.active_children()) - others:
                process.terminate()
            if isinstance(error, BrokenProcessPool):
                raise AuditError(
                    f"one of {n_workers} processes ended by itself, as they do where memory is "
                    "short; what was simulated is kept: run again with fewer --workers"
                ) from None
            raise
        pool.shutdown()


def _start_worker(threads: int) -> None:
    import torch

    # Ctrl-C is for the process that started this one, which then ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()
    progress_off()
    torch.set_num_threads(threads)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    """Variables that processes started meanwhile find."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
