"""How far the scores of control cores follow the class of the TMA that they are on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from corespot.audit.applicable import NotApplicable
from corespot.audit.permutation import Permutations, code_rows

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: TMAs hold the same mix of classes if their shares differ by no more than this.
_SAME_MIX = 1e-9


@dataclass(frozen=True)
class ClassDependence:
    """How far control cores look like the class that is measured beside them.

    Parameters
    ----------
    share : float
        Mean score of control cores on TMAs of one class less that on TMAs of the others, as a
        share of the model's own gap between the classes: 0 if the TMA plays no part, 1 if all of
        the gap comes with the TMA. The largest over classes.
    p : float
        Permutation p of the largest share, TMAs permuted, one-sided: a model that reads the
        campaign pushes control cores towards the class of their TMA, never away from it.
    p_two_sided : float
        The same for the size of the share, whatever its sign.
    interval : (float, float) or None
        95 % t interval of the share over TMAs; ``None`` with fewer than three TMAs.
    by_class : dict of str to float
        Share of every class against the rest.
    exact : bool
        Whether all arrangements were looked at.
    n_arrangements : int
        How many were: p cannot be less than one in as many.
    n_tmas, n_cores : int
        TMAs and control cores that took part.
    """

    share: float
    p: float
    p_two_sided: float
    interval: tuple[float, float] | None
    by_class: dict[str, float]
    exact: bool
    n_arrangements: int
    n_tmas: int
    n_cores: int

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {**plain, "interval": None if self.interval is None else list(self.interval)}


def class_dependence(
    by_core: pd.DataFrame,
    *,
    classes: Sequence[str],
    class_shares: Mapping[str, Floats],
    gaps: Floats,
    seed: int,
) -> ClassDependence | NotApplicable:
    """Regress the mean score of each TMA's control cores on the share of each class there.

    Parameters
    ----------
    by_core : DataFrame, n_cores rows, n_classes columns
        Mean log-odds of each control core less the mean of its tissue; the first level of the
        index is the TMA.
    classes, class_shares, gaps, seed
        As of `corespot.audit.indicators.control_cores.control_core_dependence`.
    """
    by_core = by_core[by_core.index.get_level_values(0).isin(list(class_shares))]
    means = by_core.groupby(level=0).mean()
    if len(means) < 2:
        return NotApplicable("fewer than two TMAs hold both control cores and patients of the task")
    mix = np.array([class_shares[str(tma)] for tma in means.index], dtype=np.float64)
    mix = mix - mix.mean(axis=0)
    varied = (mix**2).sum(axis=0)
    usable = (varied > _SAME_MIX) & (np.asarray(gaps) > 0)
    if not np.any(varied > _SAME_MIX):
        return NotApplicable(
            "every TMA with control cores holds the same mix of classes: nothing to compare"
        )
    if not usable.any():
        return NotApplicable("the model's scores do not tell the classes apart: there is no gap")
    at = np.flatnonzero(usable)
    weights = mix[:, at] / (varied[at] * np.asarray(gaps)[at])
    scores = means.to_numpy(np.float64)[:, at]
    scores = scores - scores.mean(axis=0)

    def slopes(order: Ints) -> Floats:
        products: Floats = (weights[order] * scores).sum(axis=1)
        return products

    perms = Permutations(code_rows(mix.round(9)), seed=seed)
    test = perms.test(lambda order: slopes(order).max(axis=1))
    two_sided = perms.test(lambda order: np.abs(slopes(order)).max(axis=1))
    observed = slopes(np.arange(len(mix), dtype=np.int64)[None])[0]
    top = int(observed.argmax())
    return ClassDependence(
        share=float(observed[top]),
        p=test.p,
        p_two_sided=two_sided.p,
        interval=_interval(scores[:, top], mix[:, at[top]], float(gaps[at[top]])),
        by_class={classes[int(one)]: float(value) for one, value in zip(at, observed, strict=True)},
        exact=test.exact,
        n_arrangements=test.n_arrangements,
        n_tmas=len(means),
        n_cores=len(by_core),
    )


def _interval(scores: Floats, mix: Floats, gap: float) -> tuple[float, float] | None:
    """95 % t interval of the slope of scores on mix, both (n_tmas,) less their mean, over the gap.

    ``None`` with fewer than three TMAs, which leave no degree of freedom.
    """
    from scipy.stats import t as student

    n = len(scores)
    if n < 3:
        return None
    size = float((mix**2).sum())
    slope = float(scores @ mix) / size
    error = np.sqrt(float(((scores - slope * mix) ** 2).sum()) / (n - 2) / size)
    reach = float(student.ppf(0.975, n - 2)) * error
    return float((slope - reach) / gap), float((slope + reach) / gap)
