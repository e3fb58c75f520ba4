"""The section ``audit`` of ``params.yaml``."""

from __future__ import annotations

from pydantic import Field

from corespot.settings import Settings


class AuditSettings(Settings):
    """How trained models are audited.

    Parameters
    ----------
    patient_folds : int or None
        Every model is trained anew over so many folds that hold out patients, so that its scores
        can be compared between TMAs; ``None`` leaves that out, and leakage does not apply.
    control : str
        Column of ``cores.csv`` that marks control cores.
    calibration : str or None
        A file that `corespot audit calibrate` made; ``None`` is the one that is shipped.
    counterfactual : mapping of str to str
        Task to the folder of a second cohort whose design is broken, so that every TMA holds every
        class: what a model loses there overrides all else.
    """

    patient_folds: int | None = Field(default=4, ge=2)
    control: str = "control"
    calibration: str | None = None
    counterfactual: dict[str, str] = Field(default_factory=dict)
