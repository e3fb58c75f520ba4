"""Cross-validation with ways: what is fitted sees training rows only."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nested_cohort import nested_cohort, task_and_folds

from corespot.errors import ParamsError
from corespot.mitigate.crossvalidate import cross_validate_mitigated
from corespot.mitigate.prepare import prepare_fold
from corespot.mitigate.requested import make_ways
from corespot.train.crossvalidate import cross_validate

COHORT = nested_cohort(n_tmas=8)
TASK, FOLDS = task_and_folds(COHORT)
CONV = {"epochs": 2, "batch_size": 16, "n_kept": 30}
BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "audit" / "mitigation.py"


def run(model: str, names: Any, cohort: Any = COHORT, **settings: Any) -> list[Any]:
    return list(
        cross_validate_mitigated(
            cohort,
            TASK,
            FOLDS,
            model=model,
            settings=CONV if model == "conv1d" else {},
            ways=make_ways(names, settings, model=model),
            seed=3,
            device="cpu",
        )
    )


@pytest.mark.parametrize("model", ["conv1d", "logistic", "roc_lda"])
def test_without_ways_it_is_plain_cross_validation(model: str) -> None:
    plain = cross_validate(
        COHORT,  # type: ignore[arg-type]
        TASK,
        FOLDS,
        model=model,
        settings=CONV if model == "conv1d" else {},
        seed=3,
        device="cpu",
    )
    for one, other in zip(run(model, ()), plain, strict=True):
        np.testing.assert_array_equal(one.probabilities, other.probabilities)
        assert np.array_equal(one.fold.test_rows, other.fold.test_rows)
        assert one.train_balanced_accuracy == other.train_balanced_accuracy
        assert len(one.history) == len(other.history)


@pytest.mark.parametrize(
    ("model", "names"),
    [
        ("logistic", "mask_off_peak"),
        ("logistic", "peak_list"),
        ("roc_lda", "artifact_projection"),
        ("logistic", ("peak_list", "augmentation")),
        ("conv1d", "artifact_penalty"),
        ("logistic", "batch_correction"),
    ],
)
def test_no_fitted_part_depends_on_the_test_rows(model: str, names: Any) -> None:
    def fitted(spectra: Any) -> tuple[dict[str, Any], Any]:
        result = run(model, names, replace(COHORT, spectra=spectra))[0]
        probe = result.estimator.changed(COHORT.spectra)
        return result.estimator.estimator.to_arrays()[0], probe

    test, train = FOLDS.fold(0, 0).test_rows, FOLDS.fold(0, 0).train_rows
    marked = COHORT.spectra.copy()
    marked[test, 400:410] += 100.0
    first, other = fitted(COHORT.spectra), fitted(marked)
    for name, array in first[0].items():
        np.testing.assert_array_equal(array, other[0][name])
    np.testing.assert_array_equal(first[1], other[1])
    marked = COHORT.spectra.copy()
    marked[train[::2], 400:410] += 100.0
    third = fitted(marked)
    assert any(not np.array_equal(first[0][name], third[0][name]) for name in first[0])


def test_a_tma_that_was_not_trained_on_is_corrected_from_its_own_spots() -> None:
    (result, _) = run("logistic", "batch_correction")
    prepared, fold = result.prepared, result.fold
    train, test = (prepared.spectra.take(rows) for rows in (fold.train_rows, fold.test_rows))
    tma = COHORT.spots["tma"].to_numpy()
    target = np.mean(
        [
            COHORT.spectra[tma == name].mean(0, dtype=np.float64)
            for name in np.unique(tma[fold.train_rows])
        ],
        axis=0,
    )
    for rows, seen in ((fold.train_rows, train), (fold.test_rows, test)):
        for name in np.unique(tma[rows]):
            np.testing.assert_allclose(seen[tma[rows] == name].mean(0), target, atol=2e-3)
    # One spot of a TMA is corrected as among all of them.
    np.testing.assert_array_equal(prepared.spectra.take(fold.test_rows[:1]), test[:1])
    # TMAs of another cohort are its own, even under the same names.
    second = nested_cohort(seed=9, n_tmas=4, ppm=60)
    task, _ = task_and_folds(second)
    seen = result.spectra_of(second, task)
    for name in np.unique(task.group_of("tma")):
        assert np.abs(seen[task.group_of("tma") == name].mean(0) - target).max() < 2e-3


def test_a_patch_model_is_refused_before_anything_is_read() -> None:
    (way,) = make_ways("peak_list")
    with pytest.raises(ParamsError, match="single spectra"):
        prepare_fold(
            COHORT, TASK, FOLDS.fold(0, 0), model="resnet_patch", settings={}, ways=[way], seed=1
        )


def test_a_way_out_halves_the_drop_of_the_network(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("mitigation", BENCHMARK)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["mitigation"] = module
    spec.loader.exec_module(module)
    wanted = [("conv1d", "plain"), ("conv1d", "peak_list")]
    plain, listed = module.measure("nested", 900001, wanted, {})
    assert plain["drop"] > 0.2
    assert listed["drop"] < 0.5 * plain["drop"]
    assert listed["cross_validated"] > plain["cross_validated"] - 0.05
