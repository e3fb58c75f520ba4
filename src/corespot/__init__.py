"""Experiment-tracked tumour classification on imaging mass spectrometry of tissue microarrays."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

# Idle threads of torch's thread pool spin by default: with another busy process on the machine an
# epoch of IsotopeNet took 22 s instead of 3 s. Read when torch is first imported, hence here.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

if TYPE_CHECKING:
    from corespot.cohort.positions import SpotPositions
    from corespot.io.imzml import open_imzml
    from corespot.models.logistic import LogisticClassifier
    from corespot.models.roc_lda import RocLdaClassifier
    from corespot.train.estimator import (
        CompSegNetClassifier,
        Conv1dNetClassifier,
        Conv3dClassifier,
        DilatedNetClassifier,
        IsotopeNetClassifier,
        ResidualNetClassifier,
        ResNetPatchClassifier,
    )

__version__ = "0.1.0"

__all__ = [
    "CompSegNetClassifier",
    "Conv1dNetClassifier",
    "Conv3dClassifier",
    "DilatedNetClassifier",
    "IsotopeNetClassifier",
    "LogisticClassifier",
    "ResNetPatchClassifier",
    "ResidualNetClassifier",
    "RocLdaClassifier",
    "SpotPositions",
    "__version__",
    "open_imzml",
]

# Loaded on first use: importing corespot must not import torch.
_HOMES = {
    "open_imzml": "corespot.io.imzml",
    "SpotPositions": "corespot.cohort.positions",
    "LogisticClassifier": "corespot.models.logistic",
    "RocLdaClassifier": "corespot.models.roc_lda",
    "CompSegNetClassifier": "corespot.train.estimator",
    "Conv1dNetClassifier": "corespot.train.estimator",
    "Conv3dClassifier": "corespot.train.estimator",
    "DilatedNetClassifier": "corespot.train.estimator",
    "IsotopeNetClassifier": "corespot.train.estimator",
    "ResNetPatchClassifier": "corespot.train.estimator",
    "ResidualNetClassifier": "corespot.train.estimator",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'corespot' has no attribute {name!r}")
