"""Experiment-tracked tumour classification on imaging mass spectrometry of tissue microarrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from corespot.io.imzml import open_imzml
    from corespot.models.roc_lda import RocLdaClassifier
    from corespot.train.estimator import IsotopeNetClassifier, ResidualNetClassifier

__version__ = "0.1.0"

__all__ = [
    "IsotopeNetClassifier",
    "ResidualNetClassifier",
    "RocLdaClassifier",
    "__version__",
    "open_imzml",
]

# Loaded on first use: importing corespot must not import torch.
_HOMES = {
    "open_imzml": "corespot.io.imzml",
    "IsotopeNetClassifier": "corespot.train.estimator",
    "ResidualNetClassifier": "corespot.train.estimator",
    "RocLdaClassifier": "corespot.models.roc_lda",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'corespot' has no attribute {name!r}")
