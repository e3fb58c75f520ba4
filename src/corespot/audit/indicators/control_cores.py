"""Control cores: the same tissue on every TMA, on which a model must not see the TMA."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.audit.applicable import NotApplicable
from corespot.audit.design.unit_tables import shares
from corespot.audit.indicators.control_cores_by_class import ClassDependence, class_dependence
from corespot.audit.indicators.within_class import WithinClassLeakage, within_class_leakage
from corespot.cohort.groups import unit_ids
from corespot.cohort.tasks import TaskSpots, as_text

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: What marks a control core, capitals aside.
YES = frozenset({"1", "1.0", "true", "yes", "y", "x", "control"})


@dataclass(frozen=True)
class ControlCoreDependence:
    """What control cores say about a model.

    Parameters
    ----------
    by_class : ClassDependence or NotApplicable
        Dependence on the class that is measured on the core's TMA: what confounds.
    by_tma : WithinClassLeakage or NotApplicable
        Dependence on the TMA, whatever its class; cores are permuted.
    """

    by_class: ClassDependence | NotApplicable
    by_tma: WithinClassLeakage | NotApplicable

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"by_class": self.by_class.as_dict(), "by_tma": self.by_tma.as_dict()}


def find_control_spots(spots: pd.DataFrame, column: str = "control") -> npt.NDArray[np.bool_]:
    """Spots of control cores: those whose `column` says 1, true, yes, y, x or control.

    Parameters
    ----------
    spots : DataFrame, n rows
        Spot table of the store.
    column : str
        Column that marks them; none is marked if it is missing.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    if column not in spots:
        return np.zeros(len(spots), dtype=bool)
    marks = as_text(spots[column]).str.strip().str.casefold()
    return marks.isin(YES).to_numpy(dtype=bool)


def class_shares_of_tmas(task: TaskSpots, column: str = "control") -> dict[str, Floats]:
    """Share of each class among the patients of each TMA, control cores left out.

    Returns
    -------
    dict of str to ndarray of float64, shape (n_classes,)
        By name of the TMA; a patient with spots of two classes there counts with a share in each.
    """
    kept = ~find_control_spots(task.spots, column)
    tmas, units = task.group_of("tma")[kept], unit_ids(task.spots, "patient")[kept]
    found = {}
    for tma in np.unique(tmas):
        here = tmas == tma
        names, unit = np.unique(units[here], return_inverse=True)
        table = shares(unit, task.y[kept][here], len(names), len(task.classes))
        found[str(tma)] = np.asarray(table.mean(axis=0), dtype=np.float64)
    return found


def class_gaps(logits: Floats, units: npt.NDArray[np.str_], y: Ints) -> Floats:
    """Mean log-odds of each class among its own patients less that among all others.

    Parameters
    ----------
    logits : ndarray of float64, shape (n, n_classes) or (n,)
        Out-of-fold log-odds of each class against all others, or of the second of two classes.
    units : ndarray of str, shape (n,)
        Patient (or core) of each spot; patients count the same whatever their spots.
    y : ndarray of int64, shape (n,)
        Class of each spot.

    Returns
    -------
    ndarray of float64, shape (n_classes,)
    """
    pairs = pd.DataFrame(_for_every_class(logits)).groupby([units, y]).mean()
    label = pairs.index.get_level_values(1).to_numpy()
    scores = pairs.to_numpy(np.float64)
    gaps = [
        scores[label == one, one].mean() - scores[label != one, one].mean()
        for one in range(scores.shape[1])
    ]
    return np.asarray(gaps, dtype=np.float64)


def control_core_dependence(
    logits: Floats,
    cores: npt.NDArray[np.str_],
    tmas: npt.NDArray[np.str_],
    *,
    classes: Sequence[str],
    class_shares: Mapping[str, Floats],
    gaps: Floats,
    tissues: npt.NDArray[np.str_] | None = None,
    seed: int = 0,
) -> ControlCoreDependence | NotApplicable:
    """Test whether the scores of control cores depend on their TMA, and on its class.

    Parameters
    ----------
    logits : ndarray of float64, shape (n, n_classes) or (n,)
        Log-odds of each class against all others (or of the second of two) on the spots of
        control cores, by models that were not trained on them.
    cores, tmas : ndarray of str, shape (n,)
        Core and TMA of each of these spots.
    classes : sequence of str
        Class names.
    class_shares : mapping of str to ndarray, shape (n_classes,)
        Share of each class on each TMA; see `class_shares_of_tmas`.
    gaps : ndarray of float64, shape (n_classes,)
        The model's own gap between the classes on held-out patients; see `class_gaps`.
    tissues : ndarray of str, shape (n,), optional
        Which tissue (patient) a control core was taken from, where there are several. Scores are
        compared within tissue, so each should be on most TMAs.
    seed : int
        Seed of the random permutations.

    Raises
    ------
    ValueError
        If shapes do not fit or a logit is not finite.

    Notes
    -----
    Artifacts come by TMA, so the TMA is the unit of the test for class: scores are averaged over
    the spots of a core, less the mean of its tissue, then over the cores of a TMA; the share is
    the least-squares slope of that mean on the share of the class among the TMA's patients,
    divided by the model's gap. Where no TMA holds two classes it is the difference between the
    means of the two kinds of TMAs. With few TMAs p is coarse: two against two give 1/6 at best,
    three against three 1/20, four against four 1/70.

    Control cores see every effect of the measurement, also one that follows the class peptide by
    peptide, as long as it acts on their tissue as it does on the others.

    Measured on simulated scores (two control cores on each TMA, standard deviation .15 of the gap
    between cores and .05 between TMAs of a class): without dependence on the class, 2.8 % of 400
    cohorts were rejected at 5 % with four TMAs against four and 5.2 % with three against three
    (one core a TMA: 4.3 %). Of 150 cohorts with a share of .2 (.4) that comes with the TMA's class,
    62 % (99 %) were found with four against four, 52 % (89 %) with three against three and 38 %
    (88 %) with one core on each of four against four; mean share .20 (.39 to .41). The 95 %
    interval held the true share in 91 to 97 %. With .15 between TMAs of a class, 4.5 % were
    rejected without dependence and 33 % (79 %) found.
    """
    scores = _for_every_class(logits)
    if scores.shape[1] != len(classes) or len(gaps) != len(classes):
        raise ValueError(
            f"logits of shape {scores.shape} and {len(gaps)} gaps, but {len(classes)} classes"
        )
    if not len(scores) == len(cores) == len(tmas):
        raise ValueError(f"{len(scores)} logits, {len(cores)} cores and {len(tmas)} TMAs differ")
    if len(scores) == 0:
        return NotApplicable(
            "no control cores: put cores of one tissue on every TMA and mark them in cores.csv "
            "(column control)"
        )
    if not np.all(np.isfinite(scores)):
        raise ValueError("logits of control cores are not finite: clip probabilities before")
    if len(np.unique(tmas)) < 2:
        return NotApplicable(f"all control cores are on one TMA, {tmas[0]}: put some on the others")
    tissue = np.zeros(len(scores), dtype="U1") if tissues is None else tissues
    names, code = np.unique(tissue, return_inverse=True)
    by_tma = within_class_leakage(
        scores,
        cores,
        code.astype(np.int64),
        tmas,
        classes=classes,
        groups=[str(name) for name in names],
        seed=seed,
    )
    by_core = pd.DataFrame(scores).groupby([tmas, tissue, cores]).mean()
    if isinstance(by_tma, NotApplicable):
        by_tma = NotApplicable(
            f"{len(by_core)} control cores on {len(np.unique(tmas))} TMAs: two or more of one "
            "tissue on a TMA are needed to tell TMAs from cores"
        )
    reason = _why_no_comparison(by_core.index.to_list(), class_shares)
    if reason is not None:
        return ControlCoreDependence(reason, by_tma)
    less_tissue = by_core - by_core.groupby(level=1).transform("mean")
    by_class = class_dependence(
        less_tissue, classes=classes, class_shares=class_shares, gaps=gaps, seed=seed
    )
    return ControlCoreDependence(by_class, by_tma)


def _why_no_comparison(
    cores: Sequence[tuple[str, str, str]], class_shares: Mapping[str, Floats]
) -> NotApplicable | None:
    """Say why no tissue can be compared between TMAs of different classes, if so.

    Scores are compared within a tissue: where each TMA has one of its own, nothing is left.
    """
    mixes: dict[str, list[Floats]] = {}
    for tma, tissue, _ in cores:
        if str(tma) in class_shares:
            mixes.setdefault(str(tissue), []).append(class_shares[str(tma)])
    if len(mixes) < 2 or any(np.ptp(np.stack(held), axis=0).max() > 0 for held in mixes.values()):
        return None
    return NotApplicable(
        f"each of the {len(mixes)} control tissues is on TMAs of one mix of classes alone, so that "
        "none can be compared between classes: put the same tissue on all TMAs, and name it alike "
        "in cores.csv (column patient)"
    )


def _for_every_class(logits: Floats) -> Floats:
    """Log-odds with a column a class; those of two classes mirror each other."""
    table = np.asarray(logits, dtype=np.float64)
    return np.stack([-table, table], axis=1) if table.ndim == 1 else table
