"""Mitigated folds read their spectra in blocks, and find what they find in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from nested_cohort import Cohort, nested_cohort, task_and_folds

from corespot.errors import ModelError
from corespot.mitigate.before_after import counterfactual_accuracy
from corespot.mitigate.crossvalidate import cross_validate_mitigated
from corespot.mitigate.prepare import CorrectedView
from corespot.mitigate.regrouped_with_ways import regrouped_with_ways
from corespot.mitigate.requested import make_ways
from corespot.models.spectra_rows import SpectraRows

COHORT = nested_cohort(n_tmas=6)
TASK, FOLDS = task_and_folds(COHORT)
SECOND = nested_cohort(seed=9)
SETTINGS: dict[str, dict[str, Any]] = {
    "conv1d": {"epochs": 2, "batch_size": 16, "n_kept": 30},
    "logistic": {},
    "roc_lda": {"k": 5, "k_grid": (2, 5)},
}
#: Every change, the correction of TMAs, both, copies, a penalty, and nothing.
CASES: list[tuple[str, tuple[str, ...]]] = [
    ("logistic", ("mask_off_peak", "artifact_projection")),
    ("roc_lda", ("peak_list",)),
    ("roc_lda", ("batch_correction",)),
    ("roc_lda", ()),
    ("conv1d", ("batch_correction", "peak_list")),
    ("conv1d", ("artifact_penalty", "artifact_projection")),
    ("logistic", ("mask_off_peak", "augmentation")),
]


def found(model: str, names: tuple[str, ...], cohort: Cohort = COHORT) -> list[Any]:
    """Probabilities and accuracies of the folds, and what the models make of a second cohort."""
    results = list(
        cross_validate_mitigated(
            cohort,
            TASK,
            FOLDS,
            model=model,
            settings=SETTINGS[model],
            ways=make_ways(names, {}, model=model),
            seed=3,
            device="cpu",
        )
    )
    second = counterfactual_accuracy(
        results, SECOND, task_and_folds(SECOND)[0], n_bootstrap=0, rng=np.random.default_rng(0)
    )
    return [
        *[r.probabilities for r in results],
        [r.train_balanced_accuracy for r in results],
        second.balanced_accuracy,
    ]


@pytest.mark.parametrize(("model", "names"), CASES)
@pytest.mark.parametrize("held_bytes", [2**30, 0])
def test_rows_give_what_copies_give(
    model: str, names: tuple[str, ...], held_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("corespot.mitigate.computed_rows._HELD_BYTES", held_bytes)
    unread = found(model, names)
    for source in (Cohort, CorrectedView):
        monkeypatch.setattr(source, "rows", source.take)
    # Changed block by block, matrices are multiplied in another order.
    close = 0 if held_bytes else 1e-5
    for one, other in zip(unread, found(model, names), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=close)


@pytest.mark.parametrize(("model", "names"), [case for case in CASES if case[0] != "logistic"])
def test_no_part_of_a_fold_is_copied(
    model: str, names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    n_bins = COHORT.axis.n_bins
    read: list[int] = []
    get = SpectraRows.__getitem__

    def noted(self: SpectraRows, which: Any) -> Any:
        block = get(self, which)
        read.append(len(block))
        return block

    def refused(*_: object) -> None:
        raise ModelError("the spectra of a whole part were copied into memory")

    monkeypatch.setattr("corespot.mitigate.computed_rows._HELD_BYTES", 0)
    monkeypatch.setattr(Cohort, "take", refused)
    monkeypatch.setattr(SpectraRows, "__array__", refused)
    monkeypatch.setattr(SpectraRows, "__getitem__", noted)
    for name, rows in (
        ("models.spectra_input._BLOCK_VALUES", 16 * n_bins),
        ("models.log_bins._BLOCK_VALUES", 16 * n_bins),
        ("train.data._BLOCK_VALUES", 16 * n_bins),
        ("explain.sensitivity._BLOCK_VALUES", 16 * n_bins),
        ("mitigate.training_mean.BLOCK_VALUES", 16 * n_bins),
        ("train.network_classifier.PREDICT_BATCH", 16),
        ("models.bin_auc._ROWS", 16),
        ("models.roc_lda._BLOCK_SPOTS", 16),
    ):
        monkeypatch.setattr(f"corespot.{name}", rows)
    # What is corrected is taken from its source a block at a time.
    take = CorrectedView.take
    monkeypatch.setattr(
        CorrectedView,
        "take",
        lambda self, rows: take(replace(self, source=_Taken(self.source)), rows),
    )
    assert found(model, names)
    assert read and max(read) <= 16


class _Taken:
    """A source of which a few rows may be taken."""

    def __init__(self, source: Any) -> None:
        self.axis, self.spots, self._source = source.axis, source.spots, source

    def take(self, rows: Any) -> Any:
        assert len(rows) <= 16
        return self._source.spectra[rows]


def test_scores_with_patients_held_out_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def scores() -> Any:
        ways = make_ways("peak_list", {}, model="roc_lda")
        asked: dict[str, Any] = {"model": "roc_lda", "settings": SETTINGS["roc_lda"], "k": 2}
        return regrouped_with_ways(COHORT, TASK, ways=ways, seed=1, **asked).scores  # type: ignore[union-attr]

    unread = scores()
    monkeypatch.setattr(Cohort, "rows", Cohort.take)
    np.testing.assert_array_equal(unread, scores())
