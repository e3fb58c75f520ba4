"""Section ``tune`` of ``params.yaml``: how long, how and over what a study searches."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from corespot.settings import Settings

Metric = Literal["spot", "core"]
Sampler = Literal["tpe", "gp", "random"]
Pruner = Literal["wilcoxon", "median", "none"]


class InnerSettings(Settings):
    """How a training part is split again.

    Parameters
    ----------
    k : int
        Inner folds a repeat.
    repeats : int
        Times the inner folds are dealt. A signed-rank test needs five pairs to reach p = .05, so
        pruning across folds needs k · repeats of 5 or more.
    """

    k: int = Field(default=3, ge=2, le=50)
    repeats: int = Field(default=2, ge=1, le=50)


class ModelTuning(Settings):
    """What differs for one model.

    Parameters
    ----------
    trials : int or None
        Trials a study; ``None``: as ``tune.trials``, 0: the model is not tuned.
    timeout : float or None
        Seconds a study; ``None``: as ``tune.timeout``.
    space : mapping
        Setting to a list of values, to ``{low: …, high: …}``, or to null: not tuned.
    """

    trials: int | None = Field(default=None, ge=0)
    timeout: float | None = Field(default=None, gt=0)
    space: dict[str, Any] = Field(default_factory=dict)


class TuneSettings(Settings):
    """Section ``tune`` of ``params.yaml``.

    Parameters
    ----------
    trials : int
        Trials a study, those pruned included; 0: nothing is tuned.
    timeout : float or None
        Seconds after which a study starts no further trial, counted from each start.
    nested : bool
        One study for every outer fold, over its training part alone. Without it one study over
        the training part of the first fold serves all folds, which flatters the others.
    sampler : {"tpe", "gp", "random"}
        How the next setting is proposed.
    pruner : {"wilcoxon", "median", "none"}
        ``wilcoxon`` stops a trial between inner folds that loses to the best one pair by pair;
        ``median`` stops it after an epoch below the median of former trials at that epoch of
        that fold, and between folds likewise.
    inner : InnerSettings
        The inner folds.
    metric : {"spot", "core"}
        Level whose balanced accuracy is raised.
    seed : int
        Seed of proposals, inner folds and fits.
    workers : int
        Processes that work on the studies of a task and model.
    storage : str or None
        Optuna storage URL (``postgresql://…``, ``sqlite:///…``); ``None``: a journal file in the
        project, ``data/studies/optuna.journal``.
    keep_folds : bool
        Record every inner fold of a trial as a run of its own.
    tasks : tuple of str or None
        Tasks that are tuned; ``None``: all.
    models : mapping
        Model name to what differs for it.
    """

    trials: int = Field(default=0, ge=0)
    timeout: float | None = Field(default=None, gt=0)
    nested: bool = True
    sampler: Sampler = "tpe"
    pruner: Pruner = "wilcoxon"
    inner: InnerSettings = Field(default_factory=InnerSettings)
    metric: Metric = "spot"
    seed: int = Field(default=1, ge=0)
    workers: int = Field(default=1, ge=1, le=256)
    storage: str | None = None
    keep_folds: bool = False
    tasks: tuple[str, ...] | None = None
    models: dict[str, ModelTuning] = Field(default_factory=dict)

    @field_validator("storage")
    @classmethod
    def _a_url(cls, value: str | None) -> str | None:
        if value is not None and "://" not in value:
            raise ValueError(
                "expected a URL such as postgresql://host/name or sqlite:///studies.db, or null "
                "for the project's own journal file"
            )
        return value

    def storage_in(self, project: Path) -> str | None:
        """Storage of the studies; a relative sqlite file lies in the project, not in a copy."""
        scheme = "sqlite:///"
        if self.storage is None or not self.storage.startswith(scheme):
            return self.storage
        file = Path(self.storage.removeprefix(scheme))
        return self.storage if file.is_absolute() else scheme + str(project / file)

    def trials_of(self, task: str, model: str) -> int:
        """Trials asked for of each study of a task and model."""
        if self.tasks is not None and task not in self.tasks:
            return 0
        own = self.models.get(model)
        return self.trials if own is None or own.trials is None else own.trials

    def timeout_of(self, model: str) -> float | None:
        """Seconds after which a study of `model` starts no further trial."""
        own = self.models.get(model)
        return self.timeout if own is None or own.timeout is None else own.timeout

    def space_of(self, model: str) -> dict[str, Any]:
        """What ``params.yaml`` says instead of the search space of `model`."""
        own = self.models.get(model)
        return {} if own is None else own.space
