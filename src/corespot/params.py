"""The whole of ``params.yaml``, typed and frozen: what every stage reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, field_validator

from corespot.audit.settings import AuditSettings
from corespot.cohort.splits import FoldSettings
from corespot.cohort.tasks import Task
from corespot.errors import ModelError, ParamsError, suggestion
from corespot.preprocess.recipe import PreprocessSettings
from corespot.settings import Settings
from corespot.synth.request import SynthRequest
from corespot.tracking.links import APP_URL
from corespot.tune.settings import TuneSettings


class TrackedTask(Task):
    """A task with training settings of its own.

    Parameters
    ----------
    train : mapping
        Model name to settings that replace those of ``train.<model>`` for this task.
    """

    train: dict[str, dict[str, Any]] = Field(default_factory=dict)

    def plain(self) -> Task:
        """The task without its training settings."""
        return Task(label=self.label, classes=self.classes, where=self.where, truth=self.truth)


class LeakageSettings(Settings):
    """Which model shows how much optimistic folds flatter it.

    Parameters
    ----------
    model : str or None
        Model trained under every grouping; ``None`` leaves the leakage gap out.
    """

    model: str | None = "roc_lda"


class SensitivitySettings(Settings):
    """How sensitivity profiles are ranked.

    Parameters
    ----------
    windows : int
        Number of ranked m/z windows a class.
    of : {"probability", "logit"}
        Profile the ranking is made on; both are stored.
    """

    windows: int = Field(default=20, ge=1, le=500)
    of: Literal["probability", "logit"] = "logit"


class TrackingSettings(Settings):
    """Where runs are recorded.

    Parameters
    ----------
    uri : str or None
        An MLflow tracking URI; ``None`` is the project's own store under ``mlruns``.
    app_url : str
        Where the review app is served, for the links to it that every run carries.
    """

    uri: str | None = None
    app_url: str = Field(default=APP_URL, pattern=r"^https?://[^\s\"'<>()\[\]]+$")


class EvaluateSettings(Settings):
    """How intervals are made.

    Parameters
    ----------
    bootstrap : int
        Resamples of the patients behind every interval.
    seed : int
        Seed of the resampling.
    """

    bootstrap: int = Field(default=1000, ge=100)
    seed: int = 0


class Params(Settings):
    """Content of ``params.yaml``."""

    cohort: str
    tasks: dict[str, TrackedTask]
    synth: dict[str, SynthRequest] = Field(default_factory=dict)
    preprocess: PreprocessSettings = Field(default_factory=PreprocessSettings)
    folds: FoldSettings = Field(default_factory=FoldSettings)
    leakage: LeakageSettings = Field(default_factory=LeakageSettings)
    models: tuple[str, ...]
    train: dict[str, Any] = Field(default_factory=dict)
    evaluate: EvaluateSettings = Field(default_factory=EvaluateSettings)
    sensitivity: SensitivitySettings = Field(default_factory=SensitivitySettings)
    tracking: TrackingSettings = Field(default_factory=TrackingSettings)
    tune: TuneSettings = Field(default_factory=TuneSettings)
    audit: AuditSettings = Field(default_factory=AuditSettings)

    @field_validator("tasks")
    @classmethod
    def _some_plain_names(cls, value: dict[str, TrackedTask]) -> dict[str, TrackedTask]:
        if not value:
            raise ValueError("expected at least one task")
        for name in value:
            if not name.replace("_", "").isalnum():
                raise ValueError(f"task name {name!r} must consist of letters, digits and _")
        return value

    @field_validator("models")
    @classmethod
    def _some_different_models(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or len(set(value)) != len(value):
            raise ValueError("expected one or more different models")
        return value

    @property
    def cohort_name(self) -> str:
        """Last part of the cohort folder's path."""
        return Path(self.cohort).name

    @property
    def seed(self) -> int:
        """Seed of all training."""
        return int(self.train.get("seed", 0))

    @property
    def device(self) -> str:
        """Device that networks are trained on, ``auto`` for the best there is."""
        return str(self.train.get("device", "auto"))

    def task(self, name: str) -> TrackedTask:
        """Task called `name`.

        Raises
        ------
        ParamsError
            If there is none.
        """
        if name not in self.tasks:
            raise ParamsError(f"there is no task {name!r}; {suggestion(name, list(self.tasks))}")
        return self.tasks[name]

    def plain_tasks(self) -> dict[str, Task]:
        """All tasks without training settings."""
        return {name: task.plain() for name, task in self.tasks.items()}

    def model_settings(self, task: str, model: str) -> dict[str, Any]:
        """Settings of `model` for `task`: those of ``train.<model>``, then the task's own."""
        return {**(self.train.get(model) or {}), **self.task(task).train.get(model, {})}


def load_params(path: Path | str = "params.yaml") -> Params:
    """Read and validate ``params.yaml``.

    Raises
    ------
    ParamsError
        If the file is missing, not YAML, or holds an unknown or invalid key; every fault of a
        section is named, with a suggestion for misspelt keys.
    """
    file = Path(path)
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ParamsError(
            f"{file} is missing; run this in the project's folder, where params.yaml lies"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ParamsError(f"{file} is not YAML: {error}") from None
    if not isinstance(content, Mapping):
        raise ParamsError(f"{file}: expected a mapping of sections, got {type(content).__name__}")
    params = Params.parse(content, str(file))
    _check_train(params.train, f"{file}: train")
    return params


def _check_train(train: Mapping[str, Any], where: str) -> None:
    """Refuse a seed that is no number, and a model's section that is no mapping."""
    seed = train.get("seed", 0)
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise ParamsError(f"{where}.seed: expected a whole number, got {seed!r}")
    for name, settings in train.items():
        if name not in ("seed", "device") and not isinstance(settings, Mapping | None):
            raise ParamsError(f"{where}.{name}: expected a mapping of settings, got {settings!r}")


def _check_models(params: Params, where: str) -> None:
    """Refuse names of models that are not registered."""
    from corespot.models.registry import names

    known = list(names())
    wanted = [*params.models, *(name for task in params.tasks.values() for name in task.train)]
    wanted += [name for name in params.train if name not in ("seed", "device")]
    wanted += list(params.tune.models)
    if params.leakage.model:
        wanted.append(params.leakage.model)
    for name in wanted:
        if name not in known:
            raise ParamsError(f"{where}: unknown model {name!r}; {suggestion(name, known)}")


def check_everything(params: Params) -> None:
    """Refuse what DVC would run into later, or never look at because nothing has to be run.

    Apart from `load_params`, which stages call that do without the table of models.

    Raises
    ------
    ParamsError
        Naming the model or setting, with a suggestion; or the cohort or file that is not there.
    ModelError
        If the device is unknown or absent.
    """
    from corespot.models.registry import check_n_classes
    from corespot.train.model_settings import checked_settings

    _check_models(params, "params.yaml")
    made = {f"data/raw/{name}" for name in params.synth}
    if not params.cohort or not (Path(params.cohort).is_dir() or params.cohort in made):
        raise ParamsError(
            f"params.yaml: cohort: there is no folder {params.cohort!r}; put the cohort there, or "
            f"name one of synth: {', '.join(sorted(made)) or 'none'}"
        )
    _check_device(params.device)
    _check_tuning(params)
    _check_audit(params, made)
    trained = {*params.models, *([params.leakage.model] if params.leakage.model else [])}
    for model in sorted(trained):
        for name, task_ in params.tasks.items():
            try:
                check_n_classes(model, len(task_.classes))
            except ModelError as error:
                raise ParamsError(f"params.yaml: tasks.{name}: {error}") from None
    for model in sorted({*trained, *params.train} - {"seed", "device"}):
        for name, task_ in params.tasks.items():
            settings = params.model_settings(name, model)
            section = f"tasks.{name}.train.{model}" if model in task_.train else f"train.{model}"
            where = f"params.yaml: {section}"
            checked_settings(model, settings, where=where)
            if model in trained:
                _check_values(settings, name, task_.classes, where)


def _check_device(name: str) -> None:
    """Refuse a device that is not there; only PyTorch knows, and only others than these two."""
    if name not in ("auto", "cpu"):
        from corespot.train.data import choose_device

        choose_device(name)


def _check_tuning(params: Params) -> None:
    """Refuse tasks and search spaces that do not exist."""
    from corespot.models.search_space import override_space
    from corespot.train.model_settings import default_settings, search_space

    for name in params.tune.tasks or ():
        if name not in params.tasks:
            raise ParamsError(
                f"params.yaml: tune.tasks: there is no task {name!r}; "
                f"{suggestion(name, list(params.tasks))}"
            )
    for name in params.tune.models:
        override_space(
            search_space(name),
            params.tune.space_of(name),
            default_settings(name),
            f"params.yaml: tune.models.{name}.space",
        )


def _check_audit(params: Params, made: set[str]) -> None:
    """Refuse second cohorts and calibrations that are not there, and a label as control column."""
    from corespot.audit.calibration.thresholds import Calibration

    where = "params.yaml: audit"
    for task, folder in params.audit.counterfactual.items():
        if task not in params.tasks:
            raise ParamsError(
                f"{where}.counterfactual: there is no task {task!r}; "
                f"{suggestion(task, list(params.tasks))}"
            )
        if not (Path(folder).is_dir() or folder in made):
            raise ParamsError(
                f"{where}.counterfactual.{task}: there is no folder {folder!r}; put the second "
                "cohort there, or leave the task out"
            )
        if Path(folder).resolve() == Path(params.cohort).resolve():
            raise ParamsError(
                f"{where}.counterfactual.{task}: {folder} is the cohort itself; name another one, "
                "in which every TMA holds every class"
            )
    if params.audit.control in {task.label for task in params.tasks.values()}:
        raise ParamsError(
            f"{where}.control: {params.audit.control!r} is the label of a task; name the column "
            "that marks control cores"
        )
    named = params.audit.calibration
    calibration = Calibration.shipped() if named is None else Calibration.read(Path(named))
    for task in params.tasks:
        for model in params.models:
            calibration.of(model, task)


def _check_values(
    settings: Mapping[str, Any], task: str, classes: tuple[str, ...], where: str
) -> None:
    """Refuse a positive class that the task has not, and a weights file that is not there."""
    positive, weights = settings.get("positive"), settings.get("weights")
    if positive is not None and str(positive) not in classes:
        raise ParamsError(
            f"{where}.positive: {positive!r} is no class of task {task}, which has "
            f"{', '.join(classes)}; name one of them, in tasks.{task}.train where it is for this "
            "task alone"
        )
    if weights is not None and not Path(weights).is_file():
        raise ParamsError(
            f"{where}.weights: there is no file {weights!r}; give the path of a local safetensors "
            "file from the project's folder, or null to train from scratch"
        )
