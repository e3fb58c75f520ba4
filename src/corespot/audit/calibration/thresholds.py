"""Where the audit draws its lines, and how often it errs there: read from a calibration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from math import isfinite
from pathlib import Path
from typing import Any, Self

from corespot.errors import AuditError
from corespot.io.artifacts import read_json
from corespot.models.registry import entry

FORMAT_VERSION = 1

#: Indicators that a calibration has a line for.
LINES = ("artifact_share", "non_peptide", "control_share")


@dataclass(frozen=True)
class ErrorRates:
    """How often models with a verdict truly fell on the counterfactual cohort.

    Parameters
    ----------
    n : int
        Models with the verdict in the benchmark; those in between reliant and clean left out.
    reliant : float
        Share of them that lost .10 or more of balanced accuracy.
    interval : tuple of float
        95 % Wilson interval of that.
    """

    n: int
    reliant: float
    interval: tuple[float, float]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"n": self.n, "reliant": self.reliant, "interval": list(self.interval)}


@dataclass(frozen=True)
class Thresholds:
    """Lines for one model.

    Parameters
    ----------
    lines : mapping of str to float
        For every name of `LINES`: above it, a model is called confounded.
    calibrated_on : str
        Model whose clean fits the lines come from.
    is_own : bool
        Whether that is the model itself.
    n_clean : int
        Clean fits behind them.
    source : str
        Where the calibration lies, and its command.
    error_rates : mapping of str to ErrorRates
        By verdict; empty where a calibration has none.
    """

    lines: Mapping[str, float]
    calibrated_on: str
    is_own: bool
    n_clean: int
    source: str
    error_rates: Mapping[str, ErrorRates] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            **dict(self.lines),
            "calibrated_on": self.calibrated_on,
            "is_own": self.is_own,
            "n_clean": self.n_clean,
            "source": self.source,
        }


@dataclass(frozen=True)
class Calibration:
    """Lines of all models that were calibrated.

    Parameters
    ----------
    models : mapping of str to mapping
        Model to its ``lines``, ``n_clean`` and ``error_rates``.
    stands_for : mapping of str to str
        ``network`` and ``linear`` to the model that stands in for others of that kind.
    source : str
        Where it comes from.
    tasks : mapping of str to mapping
        Task to ``models`` and ``stands_for`` of its own, where a study was calibrated by task.
    """

    models: Mapping[str, Mapping[str, Any]]
    stands_for: Mapping[str, str]
    source: str
    tasks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def shipped(cls) -> Self:
        """The calibration that comes with corespot; see ``benchmarks/audit``."""
        return cls.read(Path(str(files("corespot.audit.calibration") / "calibration.json")))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a calibration.

        Raises
        ------
        AuditError
            If the file is missing or is none.
        """
        if not path.is_file():
            raise AuditError(
                f"there is no calibration {path}; make one with `corespot audit calibrate`, or "
                "leave audit.calibration out of params.yaml to use the one that is shipped"
            )
        content = read_json(path)
        if not isinstance(content, Mapping) or content.get("format_version") != FORMAT_VERSION:
            raise AuditError(
                f"{path} is no calibration of format {FORMAT_VERSION}; make one with "
                "`corespot audit calibrate`"
            )
        try:
            made = content["made"]
            source = f"{path.name}: {made['command']}"
            found = cls(
                dict(content["models"]),
                dict(content["stands_for"]),
                source,
                dict(content.get("tasks", {})),
            )
            if not found.models or not isinstance(content["models"], Mapping):
                raise ValueError("it has no models")
            of_tasks = [dict(one["models"]) for one in found.tasks.values()]
            for models in (found.models, *of_tasks):
                for name, one in models.items():
                    found._thresholds(one, name, is_own=True)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise AuditError(
                f"{path} is a damaged calibration ({type(error).__name__}: {error}); make one with "
                "`corespot audit calibrate`"
            ) from None
        return found

    def of(self, model: str, task: str | None = None) -> Thresholds:
        """Lines of a model; those of the one that stands in for its kind if it has none.

        Parameters
        ----------
        model : str
            Registered name.
        task : str, optional
            Lines drawn for this task come first, where there are any.

        Raises
        ------
        AuditError
            If neither is there.
        ModelError
            If there is no such model.
        """
        kind = "network" if entry(model).is_network else "linear"
        own: Mapping[str, Any] = self.tasks.get(task or "", {})
        of_task: Mapping[str, Any] = own.get("models", {})
        stand_in = str(own.get("stands_for", {}).get(kind, ""))
        places = ((of_task, model), (self.models, model), (of_task, stand_in))
        for models, name in (*places, (self.models, self.stands_for.get(kind, ""))):
            if name in models:
                return self._thresholds(models[name], name, is_own=name == model)
        raise AuditError(
            f"the calibration {self.source} has no lines for {model}; calibrate with it: "
            f"corespot audit calibrate --model {model}"
        )

    def _thresholds(self, found: Mapping[str, Any], name: str, *, is_own: bool) -> Thresholds:
        lines = {line: float(found["lines"][line]) for line in LINES}
        bad = [line for line, value in lines.items() if not (isfinite(value) and value > 0)]
        if bad:
            raise ValueError(f"line {bad[0]} of {name} is {lines[bad[0]]}, expected above 0")
        return Thresholds(
            lines=lines,
            calibrated_on=name,
            is_own=is_own,
            n_clean=int(found["n_clean"]),
            source=self.source,
            error_rates={
                verdict: ErrorRates(
                    int(rate["n"]),
                    float(rate["reliant"]),
                    (rate["interval"][0], rate["interval"][1]),
                )
                for verdict, rate in found.get("error_rates", {}).items()
            },
        )
