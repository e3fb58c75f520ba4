"""How good a setting is on one inner fold: fitted on one side, judged on the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from corespot.evaluate.summary import evaluate_predictions
from corespot.models.registry import entry
from corespot.seeding import derive_seed
from corespot.train.crossvalidate import inner_groups, task_settings
from corespot.train.data import choose_device, take_rows
from corespot.train.estimator import make_estimator
from corespot.train.fit_inputs import Watched
from corespot.train.held_out import in_task_order
from corespot.tune.settings import Metric
from corespot.tune.training_part import InnerFold, Rows, TrainingPart

OnEpoch = Callable[[Mapping[str, float]], None]


def score_inner_fold(
    part: TrainingPart,
    fold: InnerFold,
    *,
    model: str,
    settings: Mapping[str, Any],
    seed: int,
    metric: Metric = "spot",
    device: str = "auto",
    on_epoch: OnEpoch | None = None,
) -> float:
    """Fit a model with a setting on an inner fold, and return its balanced accuracy on the rest.

    Parameters
    ----------
    part : TrainingPart
        Training part of the outer fold.
    fold : InnerFold
        The inner fold.
    model : str
        Registered name.
    settings : mapping
        Model and training settings.
    seed : int
        Seed of the study; the fit's own is derived from it and is the same in every trial, so
        that settings are compared on equal terms.
    metric : {"spot", "core"}
        Level of the balanced accuracy.
    device : str
        ``auto``, ``cpu`` or a torch device.
    on_epoch : callable, optional
        Called after every epoch with its record, which then holds ``test_balanced_accuracy``.

    Raises
    ------
    ParamsError, ModelError
        If the setting is impossible, or training diverges.
    """
    task, labels = part.task, part.labels
    at_train, at_test = (_beside(part, rows, model, device) for rows in (fold.train, fold.test))
    estimator = make_estimator(
        model,
        task_settings(model, settings, task),
        seed=derive_seed(seed, "fit", task.name, model, part.repeat, part.index, fold.number)
        % 2**31,
        device=device,
    )
    x_test = take_rows(part.x, fold.test)
    watched = {}
    if on_epoch is not None and entry(model).is_network:
        watched = {"watched": Watched(x_test, labels[fold.test], **at_test)}
    estimator.fit(
        take_rows(part.x, fold.train),
        labels[fold.train],
        groups=inner_groups(task, fold.train, part.grouping, estimator),
        on_epoch=on_epoch,
        **at_train,
        **watched,
    )
    found = in_task_order(estimator, estimator.predict_proba(x_test, **at_test), task.classes)
    table = pd.DataFrame({"row": fold.test, "repeat": 0, "fold": 0, "y": task.y[fold.test]})
    for index, name in enumerate(task.classes):
        table[f"prob_{name}"] = found[:, index]
    levels = evaluate_predictions(table, task.spots, task.classes, n_bootstrap=0)
    return float(levels[metric]["balanced_accuracy"]["median"])


def _beside(part: TrainingPart, rows: Rows, model: str, device: str) -> dict[str, Any]:
    """What a fit or a prediction takes beside the spectra of `rows`.

    Where the spots lie, for models of images. On a GPU, for models of spectra, the spectra that
    all trials of the study share: they are brought there once.
    """
    kind = entry(model)
    if kind.is_spatial:
        return {"positions": part.positions.take(rows)}
    where = choose_device(device)
    if not kind.is_network or where.type == "cpu":
        return {}
    held = part.held_on(where)
    return {} if held is None else {"held": held.take(rows)}
