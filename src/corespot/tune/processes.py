"""Several workers on one machine: processes of their own, each with its share of it."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import wait
from threading import Thread

import torch

from corespot.errors import CorespotError, TuneError
from corespot.progress import progress_off
from corespot.threads import available_cores
from corespot.tune.interruption import terminated_as_interrupted
from corespot.tune.journal import open_storage
from corespot.tune.request import TuningRequest
from corespot.tune.study import OpenStudy
from corespot.tune.work import open_studies, work

#: Memory of a GPU that a process takes beside its spectra: context, weights, activations.
_GPU_OVERHEAD = 2 * 2**30
_LOOK_EVERY = 1.0

OnLook = Callable[[Sequence[OpenStudy]], None]


@dataclass(frozen=True)
class WorkerPlan:
    """How many workers there are, and what each gets.

    Parameters
    ----------
    environments : tuple of mapping
        Environment variables of each.
    note : str
        Why there are fewer than asked for; empty if there are not.
    """

    environments: tuple[Mapping[str, str], ...]
    note: str = ""


def plan_workers(
    wanted: int,
    *,
    device: str,
    needed_bytes: int,
    free_bytes: Sequence[int] | None = None,
    n_cores: int | None = None,
) -> WorkerPlan:
    """Share cores and GPUs out among workers.

    Parameters
    ----------
    wanted : int
        Workers asked for.
    device : str
        ``auto``, ``cpu`` or a torch device; with ``auto`` or ``cuda`` the workers take turns
        among the GPUs, one each where there are enough.
    needed_bytes : int
        Memory that the spectra of a study take on a device.
    free_bytes : sequence of int, optional
        Free memory of every GPU; measured if left out.
    n_cores : int, optional
        Cores; counted if left out.
    """
    cores = n_cores or available_cores()
    free = _free_gpu_memory(device) if free_bytes is None else list(free_bytes)
    note, n_workers = "", wanted
    room: list[int] = []
    if free:
        each = needed_bytes + _GPU_OVERHEAD
        room = [max(1, int(bytes_ // each)) for bytes_ in free]
        if wanted > sum(room):
            n_workers = sum(room)
            note = (
                f"{n_workers} of {wanted} workers: each needs about {each / 2**30:.1f} GiB of GPU "
                f"memory, free are {', '.join(f'{b / 2**30:.1f}' for b in free)} GiB"
            )
    # Each GPU takes its turn as long as it has room.
    slots = [
        gpu for turn in range(max(room, default=0)) for gpu in range(len(room)) if turn < room[gpu]
    ]
    threads = {"OMP_NUM_THREADS": str(max(1, cores // n_workers))}
    return WorkerPlan(
        tuple(
            {**threads, **({"CUDA_VISIBLE_DEVICES": _visible(slots[n])} if free else {})}
            for n in range(n_workers)
        ),
        note,
    )


def work_together(request: TuningRequest, plan: WorkerPlan, *, on_look: OnLook) -> None:
    """Run the workers of a plan until all studies are done.

    Parameters
    ----------
    request : TuningRequest
        What is tuned.
    plan : WorkerPlan
        The workers.
    on_look : callable
        Called about every second, and at the end, with the studies.

    Raises
    ------
    TuneError
        If no worker came through; what is finished is kept, and the next start goes on.
    """
    studies = open_studies(request, open_storage(request.tune.storage, request.folder))
    context = multiprocessing.get_context("spawn")
    workers = []
    for number, environment in enumerate(plan.environments):
        with _environment(environment):
            process = context.Process(target=_worker, args=(request, number))
            process.start()
            workers.append(process)
    try:
        while any(process.is_alive() for process in workers):
            time.sleep(_LOOK_EVERY)
            on_look(studies)
    except BaseException:
        for process in workers:
            process.terminate()
        raise
    finally:
        for process in workers:
            process.join()
    on_look(studies)
    failed = [process.exitcode for process in workers if process.exitcode]
    if len(failed) == len(workers):
        raise TuneError(
            f"{request.task.name} {request.model}: all {len(workers)} workers ended with "
            f"{_ends(failed)}; finished trials are kept, start again to go on"
        )
    if failed:
        print(
            f"{len(failed)} of {len(workers)} workers ended with {_ends(failed)}; "
            "the others did their work"
        )


def _worker(request: TuningRequest, number: int) -> None:
    """What a worker process does; it ends with the one that started it, however that ends."""
    Thread(target=_end_with_parent, daemon=True).start()
    terminated_as_interrupted()
    progress_off()
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    try:
        work(request, share=number)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except CorespotError as error:
        print(f"worker {number}: {error}")
        raise SystemExit(error.exit_code) from None


def _end_with_parent() -> None:
    """Wait for the parent's end, then end at once: the trial is an orphan and is tried again."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _free_gpu_memory(device: str) -> list[int]:
    if device not in ("auto", "cuda") or not torch.cuda.is_available():
        return []
    return [torch.cuda.mem_get_info(n)[0] for n in range(torch.cuda.device_count())]


def _visible(number: int) -> str:
    """Name of the GPU `number` of those that this process may see."""
    seen = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    return seen[number] if number < len(seen) else str(number)


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set variables that a process started in the block inherits."""
    former = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in former.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _ends(codes: Sequence[int | None]) -> str:
    words = {f"signal {-code}" if code and code < 0 else f"exit code {code}" for code in codes}
    return " and ".join(sorted(words))
