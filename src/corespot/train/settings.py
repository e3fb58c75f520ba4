"""Parameters of the training loop, the same for every network."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from corespot.models.search_space import Choice, Range
from corespot.settings import Settings


class TrainSettings(Settings):
    """Parameters of the training loop, the same for every network."""

    epochs: int = Field(100, ge=1, description="passes over the training spectra")
    batch_size: int = Field(256, ge=2, description="most spectra in a step")
    optimizer: Literal["adam", "rmsprop"] = Field("adam", description="gradient descent method")
    learning_rate: float = Field(1e-3, gt=0, description="step size")
    weight_decay: float = Field(
        0.0, ge=0, description="λ of the penalty λ‖θ‖² on weights and batch norm scales"
    )
    schedule: Literal["constant", "cosine", "step"] = Field(
        "constant",
        description="of the step size; cosine: falls to zero, step: times 0.9 every 30 epochs",
    )
    precision: Literal["auto", "float32", "bf16"] = Field(
        "auto", description="auto: bfloat16 where it pays and the hardware has it"
    )
    early_stopping: bool = Field(
        False, description="stop on an inner grouped split and keep its best epoch"
    )
    patience: int = Field(20, ge=1, description="epochs without a better validation loss")
    validation_folds: int = Field(
        4, ge=2, description="one of so many inner folds is the validation part"
    )


#: What may be tuned of the training of any network; models say where theirs differs.
LOOP_SPACE: dict[str, Range | Choice] = {
    "learning_rate": Range(1e-5, 5e-2, log=True),
    "weight_decay": Choice((0.0, 1e-5, 1e-4, 1e-3, 1e-2, 5e-2)),
    "batch_size": Choice((16, 32, 64, 128, 256)),
}
