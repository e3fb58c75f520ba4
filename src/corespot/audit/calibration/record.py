"""Models of which the audit knows the truth: what lines and error rates are made from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from corespot.audit.verdict.readings import Readings
from corespot.audit.verdict.verdict import CLEAN, RELIANT

Truth = Literal["reliant", "clean", "between"]


@dataclass(frozen=True, eq=False)
class Record:
    """One model on one synthetic cohort.

    Parameters
    ----------
    seed : int
        Of the cohort.
    cohort : mapping
        How it was made: ``design``, ``family``, ``amplitude`` and more.
    model : str
        Registered name.
    balanced_accuracy, drop : float
        On held-out TMAs, and what is lost of it on the counterfactual cohort.
    readings : Readings
        What the audit measured.
    """

    seed: int
    cohort: Mapping[str, Any]
    model: str
    balanced_accuracy: float
    drop: float
    readings: Readings

    @property
    def truth(self) -> Truth:
        """Reliant from a loss of .10 on, clean below .05."""
        if self.drop >= RELIANT:
            return "reliant"
        return "clean" if self.drop < CLEAN else "between"

    def line(self) -> str:
        """As a line of JSON."""
        return json.dumps(
            {
                "cohort": {**self.cohort, "seed": self.seed},
                "model": self.model,
                "balanced_accuracy": self.balanced_accuracy,
                "drop": self.drop,
                "readings": self.readings.as_dict(),
                "not_applicable": self.readings.not_applicable(),
            }
        )

    @classmethod
    def of_line(cls, line: str) -> Self:
        """From what `line` gave."""
        plain = json.loads(line)
        return cls(
            seed=int(plain["cohort"]["seed"]),
            cohort=plain["cohort"],
            model=plain["model"],
            balanced_accuracy=float(plain["balanced_accuracy"]),
            drop=float(plain["drop"]),
            readings=Readings.of(plain["readings"], plain["not_applicable"]),
        )


def read_records(path: Path) -> list[Record]:
    """Records of a file, one a line; half a line at its end is what an interruption left."""
    if not path.is_file():
        return []
    return [Record.of_line(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


def append_records(path: Path, records: Iterable[Record]) -> None:
    """Add records to a file, after the last whole line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_file():
        content = path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            with path.open("r+b") as file:
                file.truncate(whole)
    with path.open("a", encoding="utf-8") as file:
        file.write("".join(record.line() + "\n" for record in records))
