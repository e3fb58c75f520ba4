"""A study's own layout, as far as a synthetic cohort can have it too."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from corespot.audit.design.association import cramers_v
from corespot.audit.design.class_layout import ClassLayout
from corespot.audit.indicators.control_cores import find_control_spots
from corespot.audit.verdict.verdict import TIED
from corespot.cohort.groups import unit_ids
from corespot.cohort.tasks import TaskSpots
from corespot.errors import AuditError
from corespot.io.store import SpectraStore
from corespot.synth.tissue import disc_points

#: Spots that a synthetic patient has, at most about so many.
SPOTS_PER_PATIENT = 8
#: The same for models that look at neighbouring spots: whole cores.
SPOTS_PER_PATIENT_OF_IMAGES = 25
#: Numbers of cores a patient that a synthetic cohort can tell apart.
_MOST_CORES = 6
_MOST_CONTROLS = 20
#: Peptides of a synthetic spectrum, and room that each needs on the axis, in Da.
_N_PEPTIDES, _ROOM_DA = 220, 4.0
_FEWEST_PEPTIDES = 40
#: Radii of the discs of spots that a core may be, in spots.
_RADII = (0.5, 1.0, 1.5, 2.0, 2.3, 2.9)


@dataclass(frozen=True)
class StudyLayout:
    """What of a task's spots a synthetic cohort is given.

    Parameters
    ----------
    task : str
        Name of the task.
    first, others : str
        Its first class, and all others together: one against the rest.
    tmas : tuple of str
        Names of the TMAs.
    patients : tuple of (int, int)
        Patients of the first class and of all others on each TMA.
    cores : tuple of (tuple of int, tuple of int)
        Number of patients on a TMA with one, two, three, … cores there, of either side.
    spots_per_core : float
        Median spots of the task on a core.
    control_cores : int
        Control cores on a TMA.
    low, high : float
        Ends of the store's m/z axis in Da.
    n_bins : int
        Its number of bins.
    """

    task: str
    first: str
    others: str
    tmas: tuple[str, ...]
    patients: tuple[tuple[int, int], ...]
    cores: tuple[tuple[int, ...], tuple[int, ...]]
    spots_per_core: float
    control_cores: int
    low: float
    high: float
    n_bins: int

    @classmethod
    def of(cls, store: SpectraStore, task: TaskSpots, *, control: str = "control") -> Self:
        """Layout of a task.

        Parameters
        ----------
        store : SpectraStore
            The store of the study.
        task : TaskSpots
            The task there.
        control : str
            Column that marks control cores.

        Raises
        ------
        AuditError
            If nothing simulates such data.
        """
        _refuse_what_is_not_simulated(store, task.name)
        # Control cores that take part in a task are no patients.
        kept = ~find_control_spots(task.spots, control)
        y = (task.y[kept] > 0).astype(np.int64)
        if len(np.unique(y)) < 2:
            raise AuditError(
                f"{task.name}: all spots of a class are of control cores, so that no class has "
                f"patients that could be simulated; correct the column {control!r} of cores.csv"
            )
        spots = task.spots[kept].reset_index(drop=True)
        pair = TaskSpots(task.name, ("first", "others"), np.arange(len(y)), y, spots)
        layout = ClassLayout.of(pair)
        _, count = np.unique(pair.group_of("core"), return_counts=True)
        return cls(
            task=task.name,
            first=task.classes[0],
            others=" or ".join(task.classes[1:]),
            tmas=layout.tmas,
            patients=tuple((int(a), int(b)) for a, b in layout.counts),
            cores=(_cores_a_patient(pair, 0), _cores_a_patient(pair, 1)),
            spots_per_core=float(np.median(count)),
            control_cores=_controls(store, control),
            low=round(float(store.axis.mz[0]), 6),
            high=round(float(store.axis.mz[-1]), 6),
            n_bins=store.axis.n_bins,
        )

    @property
    def tie(self) -> float:
        """Cramér's V of class and TMA over the patients, bias-corrected."""
        counts = np.array(self.patients)
        tma, side = np.nonzero(counts)
        unit = np.repeat(np.arange(len(tma)), counts[tma, side])
        return cramers_v(np.eye(2)[side[unit]], np.eye(len(counts))[tma[unit]])

    @property
    def is_tied(self) -> bool:
        """Whether the question of confounding arises, so that lines are needed at all."""
        return self.tie > TIED

    def settings(self, spots_per_patient: int = SPOTS_PER_PATIENT) -> dict[str, Any]:
        """Sections ``design``, ``tissue`` and ``spectra`` of a synthetic cohort.

        Parameters
        ----------
        spots_per_patient : int
            So many at most, about: cores are discs of 1, 5, 9, 13, 21 or 25 spots.
        """
        by_side = {
            organ: {"cores_per_patient": list(cores)}
            for organ, cores in zip(("lung", "pancreas"), self.cores, strict=True)
        }
        radius = self.core_radius(spots_per_patient)
        return {
            "design": {
                **by_side,
                "layout": [{"lung": a, "pancreas": b} for a, b in self.patients],
                "control_cores": self.control_cores,
            },
            "tissue": {"core_radius": [radius, radius], "background_per_tma": 0},
            "spectra": {
                "low": self.low,
                "high": self.high,
                "n_bins": self.n_bins,
                "n_peptides": min(_N_PEPTIDES, int((self.high - self.low) / _ROOM_DA)),
            },
        }

    def core_radius(self, spots_per_patient: int) -> float:
        """Radius of a synthetic core in spots."""
        weights = np.add(*(np.pad(c, (0, _MOST_CORES - len(c))) for c in self.cores))
        cores = float((weights * (1 + np.arange(_MOST_CORES))).sum() / weights.sum())
        wanted = min(self.spots_per_core, spots_per_patient / cores)
        return min(_RADII, key=lambda radius: abs(len(disc_points(radius)) - wanted))

    def text(self) -> str:
        """What is simulated, in a sentence."""
        n_first, n_others = np.array(self.patients).sum(axis=0)
        controls = f", {self.control_cores} control cores a TMA" if self.control_cores else ""
        return (
            f"{self.task}: {len(self.tmas)} TMAs with {n_first} patients of {self.first} and "
            f"{n_others} of {self.others} (V = {self.tie:.2f}){controls}; {self.n_bins} bins over "
            f"m/z {self.low:.0f}–{self.high:.0f}"
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def _refuse_what_is_not_simulated(store: SpectraStore, task: str) -> None:
    kind = store.meta.get("data_kind", "profile")
    picked = any(step.get("step") == "peaks" for step in store.meta.get("recipe", []))
    use = "; the calibration that is shipped is used where audit.calibration is left out"
    if kind != "profile" or picked:
        raise AuditError(
            f"{task}: the store holds {'peaks' if picked else f'{kind} data'}, and nothing here "
            f"simulates peak lists: only profile data can be calibrated{use}"
        )
    low, high = float(store.axis.mz[0]), float(store.axis.mz[-1])
    if (high - low) / _ROOM_DA < _FEWEST_PEPTIDES or low <= 50 or store.axis.n_bins < 200:
        raise AuditError(
            f"{task}: no spectra of peptides can be simulated on {store.axis.n_bins} bins over m/z "
            f"{low:.0f}–{high:.0f}; {_FEWEST_PEPTIDES * _ROOM_DA:.0f} Da above m/z 50 and 200 "
            f"bins are needed{use}"
        )


def _cores_a_patient(pair: TaskSpots, side: int) -> tuple[int, ...]:
    """How many patients of a class on a TMA have one, two, three, … cores there."""
    here = pair.y == side
    units = unit_ids(pair.spots, "patient")[here]
    cores = np.char.add(
        np.char.add(pair.group_of("tma")[here], "\x1f"), pair.group_of("core")[here]
    )
    held = np.unique(np.stack([_on_tma(pair.group_of("tma")[here], units), cores]), axis=1)
    _, n_cores = np.unique(held[0], return_counts=True)
    counts = np.bincount(np.minimum(n_cores, _MOST_CORES), minlength=2)[1:]
    return tuple(int(count) for count in counts)


def _on_tma(tmas: npt.NDArray[np.str_], units: npt.NDArray[np.str_]) -> npt.NDArray[np.str_]:
    return np.char.add(np.char.add(tmas, "\x1f"), units)


def _controls(store: SpectraStore, column: str) -> int:
    """Mean number of control cores on a TMA, where two TMAs have some at least."""
    marked = store.spots[find_control_spots(store.spots, column)]
    by_tma = marked.groupby("tma")["core"].nunique()
    if len(by_tma) < 2:
        return 0
    return int(min(max(round(float(by_tma.mean())), 1), _MOST_CONTROLS))
