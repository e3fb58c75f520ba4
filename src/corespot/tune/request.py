"""What a tuning stage is asked to do: one model, one task, one study for every outer fold."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from corespot.cohort.splits import Fold, FoldTable
from corespot.cohort.tasks import TaskSpots
from corespot.io.store import SpectraStore
from corespot.models.registry import entry
from corespot.models.search_space import SearchSpace
from corespot.train.model_settings import default_settings
from corespot.tune.settings import TuneSettings
from corespot.tune.training_part import InnerSplit, TrainingPart, split_again, take_training_part


@dataclass(frozen=True, eq=False)
class TuningRequest:
    """One model on one task; the same in every process that works on it.

    Parameters
    ----------
    store : Path
        Folder of the spectra store.
    task : TaskSpots
        Spots and labels.
    folds : FoldTable
        The outer folds.
    model : str
        Registered name.
    settings : mapping
        Settings outside of the search space, and what ``params.yaml`` trains with.
    space : mapping
        What is searched.
    tune : TuneSettings
        How.
    trials : int
        Trials a study.
    timeout : float or None
        Seconds after which no further trial is started.
    folder : Path
        Where studies, locks and signs of life are.
    device : str
        ``auto``, ``cpu`` or a torch device.
    launched : float or None
        Time of day at which this start began, from which `timeout` is counted in all processes.
    """

    store: Path
    task: TaskSpots
    folds: FoldTable
    model: str
    settings: Mapping[str, Any]
    space: SearchSpace
    tune: TuneSettings
    trials: int
    timeout: float | None
    folder: Path
    device: str = "auto"
    launched: float | None = None

    def outer_folds(self) -> Iterator[Fold]:
        """The outer folds that have a study: all, or the first where tuning is not nested."""
        if self.tune.nested:
            yield from self.folds
        else:
            yield self.folds.fold(0, 0)

    def subject(self, fold: Fold) -> StudySubject:
        """What the study of an outer fold is about."""
        return StudySubject(self, fold)


class StudySubject:
    """What one study is about; its digest is part of its name, so that nothing else gets mixed in.

    What is held of the spectra (on a GPU, or for models of patches and cores) is read when it is
    first needed, and `release` lets it go: a process that works on several studies holds those of
    one.

    Parameters
    ----------
    request : TuningRequest
        What is tuned.
    fold : Fold
        The outer fold whose training part it is.
    """

    def __init__(self, request: TuningRequest, fold: Fold) -> None:
        self.request, self.fold = request, fold
        self._part: TrainingPart | None = None

    @property
    def part(self) -> TrainingPart:
        """All spots that the study may see."""
        if self._part is None:
            request = self.request
            request.folds.check_task(request.task)
            store = SpectraStore.open(request.store)
            self._part = take_training_part(
                store,
                request.task,
                self.fold,
                request.folds.grouping,
                in_memory=entry(request.model).is_spatial,
            )
        return self._part

    @cached_property
    def inner(self) -> InnerSplit:
        """Their inner folds."""
        return split_again(self.part, self.request.tune.inner, self.request.tune.seed)

    @cached_property
    def n_bins(self) -> int:
        """Bins of the spectra."""
        return SpectraStore.open(self.request.store).axis.n_bins

    def release(self) -> None:
        """Let go of the spectra."""
        self._part = None

    @cached_property
    def study_name(self) -> str:
        """Task, model and outer fold, with a digest of all that trials depend on.

        Number of trials, time limit, sampler and workers are no part of it: more trials of
        another sampler go on with the same study.
        """
        request, tune = self.request, self.request.tune
        # With the defaults: if one changes in a later version, that is another study.
        every = {**default_settings(request.model), **request.settings}
        about = [
            self.part.digest,
            request.model,
            {k: v for k, v in every.items() if k not in request.space},
            {name: repr(allowed) for name, allowed in request.space.items()},
            tune.inner.model_dump(),
            tune.metric,
            tune.pruner,
            tune.seed,
        ]
        text = json.dumps(about, sort_keys=True, default=str)
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        return f"{self.place} {digest}"

    @property
    def place(self) -> str:
        """Task, model and outer fold."""
        request, fold = self.request, self.fold
        which = f"repeat{fold.repeat}-fold{fold.index}" if request.tune.nested else "hold-in"
        return f"{request.task.name} {request.model} {which}"
