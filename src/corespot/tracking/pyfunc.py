"""The model as MLflow serves it: raw spectra on their own axis in, class probabilities out.

MLflow calls `_load_pyfunc` with the logged folder. It holds weights as safetensors and settings
as JSON, one sub-folder a fold: no code, no pickle. The served model is the mean over the folds'
models of the class probabilities.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.cohort.positions import SpotPositions
from corespot.errors import ModelError
from corespot.mitigate.saved import ABOUT as MITIGATED
from corespot.mitigate.saved import load_mitigated
from corespot.models.registry import entry
from corespot.preprocess.recipe import apply_recipe
from corespot.train.checkpoint import LoadedModel, load_model
from corespot.train.held_out import in_task_order

if TYPE_CHECKING:
    from corespot.tracking.runs import Run


class FoldEnsemble:
    """Mean of the class probabilities of the models of all folds.

    Parameters
    ----------
    models : sequence of LoadedModel
        Models on one axis, with one recipe and the same classes.
    """

    def __init__(self, models: Sequence[LoadedModel]) -> None:
        if not models:
            raise ModelError("a served model needs at least one fold's model")
        self.models = list(models)
        self.classes = tuple(models[0].classes)
        self.axis = models[0].axis
        self.recipe = models[0].recipe

    def preprocess(
        self, mz: npt.NDArray[np.float64], intensity: npt.NDArray[np.float32]
    ) -> npt.NDArray[np.float32]:
        """One raw spectrum, through the recipe, on the model's axis: shape (n_bins,)."""
        return apply_recipe(self.recipe, mz, intensity, self.axis)

    @property
    def is_spatial(self) -> bool:
        """Whether the models look at neighbouring spots."""
        return entry(str(self.models[0].about["model"])).is_spatial

    def each(
        self, spectra: npt.NDArray[np.float32], positions: SpotPositions | None = None
    ) -> list[npt.NDArray[np.float64]]:
        """Class probabilities by every fold's model, each of shape (n, n_classes).

        Raises
        ------
        ModelError
            If the models look at neighbouring spots and are not told where the spots lie.
        """
        places = {"positions": positions} if self.is_spatial else {}
        return [
            in_task_order(
                model.estimator, model.estimator.predict_proba(spectra, **places), self.classes
            )
            for model in self.models
        ]

    def predict_proba(
        self, spectra: npt.NDArray[np.float32], positions: SpotPositions | None = None
    ) -> npt.NDArray[np.float64]:
        """Class probabilities of preprocessed spectra, shape (n, n_classes)."""
        found: npt.NDArray[np.float64] = np.mean(self.each(spectra, positions), axis=0)
        return found

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """MLflow's entry point.

        Parameters
        ----------
        model_input : DataFrame
            One row a spectrum, columns ``mz`` and ``intensity`` with vectors of equal length; for
            models of patches or cores also ``core``, ``x`` and ``y``, all spots of a core together.
        params : dict, optional
            Not used.

        Returns
        -------
        DataFrame
            ``prob_<class>`` for every class and ``predicted``.

        Raises
        ------
        ModelError
            If a column is missing, or there is no spectrum.
        """
        missing = [name for name in ("mz", "intensity") if name not in model_input]
        if missing or not len(model_input["mz"]):
            found = f"without {' and '.join(missing)}" if missing else "without a row"
            raise ModelError(
                "expected a table of one row a spectrum with the columns mz and intensity, got one "
                f"{found}"
            )
        spectra = np.stack(
            [
                self.preprocess(
                    np.asarray(mz, dtype=np.float64), np.asarray(intensity, dtype=np.float32)
                )
                for mz, intensity in zip(model_input["mz"], model_input["intensity"], strict=True)
            ]
        )
        positions = SpotPositions.of(model_input) if self.is_spatial else None
        probabilities = self.predict_proba(spectra, positions)
        table = pd.DataFrame(probabilities, columns=[f"prob_{name}" for name in self.classes])
        table["predicted"] = np.asarray(self.classes)[probabilities.argmax(axis=1)]
        return table


def load_ensemble(folder: Path | str) -> FoldEnsemble:
    """Load the models of all folds from a folder with one sub-folder a fold.

    Those that were trained with ways out change their spectra themselves.

    Raises
    ------
    ModelError
        If there is none, or one cannot be read.
    """
    home = Path(folder)
    parts = sorted(file.parent for file in home.glob("*/model.json"))
    changed = sorted(file.parent for file in home.glob(f"*/{MITIGATED}"))
    if not parts and not changed:
        raise ModelError(
            f"{folder} holds no trained model; check the names of task and model, and run "
            "`make run` if they are in params.yaml but were never trained"
        )
    return FoldEnsemble(
        [*(load_model(part) for part in parts), *(load_mitigated(part) for part in changed)]
    )


def _load_pyfunc(data_path: str) -> FoldEnsemble:
    return load_ensemble(data_path)


def log_ensemble(run: Run, folder: Path, version: str) -> str:
    """Log the fold models in `folder` to `run` as one served model; returns its URI."""
    import logging

    import mlflow
    from mlflow.models import ModelSignature
    from mlflow.types.schema import Array, ColSpec, DataType, Schema, TensorSpec

    ensemble = load_ensemble(folder)
    columns: list[ColSpec | TensorSpec] = [
        ColSpec(Array(DataType.double), name) for name in ("mz", "intensity")
    ]
    if ensemble.is_spatial:
        columns += [ColSpec(DataType.string, "core")]
        columns += [ColSpec(DataType.long, name) for name in ("x", "y")]
    inputs = Schema(columns)
    outputs = Schema(
        [
            *(ColSpec(DataType.double, f"prob_{name}") for name in ensemble.classes),
            ColSpec(DataType.string, "predicted"),
        ]
    )
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    mlflow.set_tracking_uri(run.client.tracking_uri)
    with mlflow.start_run(run_id=run.run_id), warnings.catch_warnings():
        # MLflow asks for an input example; the signature says all, and spectra are large.
        warnings.filterwarnings("ignore", message=".*input example.*")
        info = mlflow.pyfunc.log_model(
            name="model",
            loader_module="corespot.tracking.pyfunc",
            data_path=str(folder),
            signature=ModelSignature(inputs=inputs, outputs=outputs),
            pip_requirements=[f"corespot=={version}"],
        )
    return str(info.model_uri)
