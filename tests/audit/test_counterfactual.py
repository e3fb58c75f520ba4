"""The accuracy drop on a second cohort, against counts by hand and simulated truth."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from corespot.audit.applicable import NotApplicable
from corespot.audit.design.association import cramers_v
from corespot.audit.indicators.counterfactual import CounterfactualDrop, counterfactual_drop
from corespot.errors import StoreError
from corespot.evaluate.aggregate import spot_units
from corespot.evaluate.intervals import patient_intervals

CLASSES = ("lung", "pancreas")


def cohort(
    accuracy: float,
    *,
    n_patients: int = 40,
    n_spots: int = 10,
    spread: float = 0.0,
    nested: bool = False,
    n_classes: int = 2,
    prefix: str = "P",
    seed: int = 0,
) -> pd.DataFrame:
    """One line a spot; a patient's share of right decisions varies by `spread`."""
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(n_patients), n_spots)
    y = patient % n_classes
    tma = y * 2 + patient // n_classes % 2 if nested else patient // n_classes % 4
    right = np.clip(accuracy + spread * rng.normal(size=n_patients), 0, 1)[patient]
    predicted = np.where(rng.random(len(y)) < right, y, (y + 1) % n_classes)
    names = {"patient": np.char.add(prefix, patient.astype(str)), "tma": np.char.mod("T%d", tma)}
    return pd.DataFrame({"y": y, "predicted": predicted, **names})


def models(*tables: pd.DataFrame, column: str = "fold") -> pd.DataFrame:
    return pd.concat([table.assign(**{column: at}) for at, table in enumerate(tables)])


def drop_of(original: pd.DataFrame, second: pd.DataFrame, **options: int) -> CounterfactualDrop:
    found = counterfactual_drop(original, second, CLASSES, **options)
    assert isinstance(found, CounterfactualDrop)
    return found


def recall(table: pd.DataFrame, k: int) -> float:
    return float((table.loc[table["y"] == k, "predicted"] == k).mean())


def balanced(table: pd.DataFrame) -> float:
    return float(np.mean([recall(table, k) for k in sorted(set(table["y"]))]))


def test_accuracies_of_the_models_are_averaged_and_not_their_probabilities() -> None:
    original = cohort(0.9)
    folds = [cohort(rate, prefix="Q", seed=at + 1) for at, rate in enumerate((0.9, 0.6, 0.5))]
    found = drop_of(original, models(*folds), n_bootstrap=200)
    assert found.balanced_accuracy == pytest.approx(balanced(original))
    mean = np.mean([balanced(fold) for fold in folds])
    assert found.counterfactual_balanced_accuracy == pytest.approx(mean)
    assert found.drop == pytest.approx(balanced(original) - mean)
    for k, name in enumerate(CLASSES):
        expected = recall(original, k) - np.mean([recall(fold, k) for fold in folds])
        assert found.drop_by_class[name] == pytest.approx(expected)
    assert found.n_models == 3 and found.n_shared_patients == 0
    assert (found.n_patients, found.n_counterfactual_patients) == (40, 40)
    plain = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert plain["interval"][0] < plain["drop"] < plain["interval"][1]


def test_probabilities_are_decided_by_the_largest_and_order_of_lines_does_not_matter() -> None:
    original, second = cohort(0.9), models(cohort(0.6, prefix="Q"), cohort(0.7, prefix="Q", seed=3))
    expected = drop_of(original, second)

    def with_probabilities(table: pd.DataFrame) -> pd.DataFrame:
        high = np.random.default_rng(0).uniform(0.51, 1.0, len(table))
        says_second = table["predicted"] == 1
        return table.drop(columns="predicted").assign(
            prob_lung=np.where(says_second, 1 - high, high),
            prob_pancreas=np.where(says_second, high, 1 - high),
        )

    shuffled = with_probabilities(second).sample(frac=1.0, random_state=1)
    assert drop_of(with_probabilities(original), shuffled) == expected


def test_repeats_of_the_original_are_averaged_and_models_told_by_repeat_and_fold() -> None:
    first, other = cohort(0.9), cohort(0.8, seed=4)
    second = [cohort(0.5, prefix="Q", seed=at) for at in range(4)]
    named = pd.concat(
        [table.assign(repeat=at // 2, fold=at % 2) for at, table in enumerate(second)]
    )
    found = drop_of(models(first, other, column="repeat"), named)
    assert found.balanced_accuracy == pytest.approx((balanced(first) + balanced(other)) / 2)
    assert found.n_models == 4


def test_the_interval_of_one_cohort_is_that_of_the_evaluation() -> None:
    """With nothing to vary in the second cohort, the drop varies as the accuracy does."""
    original = cohort(0.8, spread=0.2, n_patients=60)
    perfect = cohort(1.0, prefix="Q")
    found = drop_of(original, perfect, n_bootstrap=4000)
    table = original.assign(
        row=np.arange(len(original)),
        repeat=0,
        fold=0,
        prob_lung=1.0 - original["predicted"],
        prob_pancreas=1.0 * original["predicted"],
    )
    units = spot_units(table, original.assign(core=original["patient"]), CLASSES)
    rng = np.random.default_rng(5)
    interval = patient_intervals(units, n_bootstrap=4000, rng=rng)["balanced_accuracy"]
    assert interval is not None and found.interval is not None and found.at_least is not None
    np.testing.assert_allclose(found.interval, np.array(interval) - 1.0, atol=0.006)
    assert found.interval[0] < found.at_least < found.drop


def test_with_a_perfect_original_the_loss_is_what_the_second_lacks() -> None:
    second = models(cohort(0.7, spread=0.2, prefix="Q", seed=1))
    found = drop_of(cohort(1.0), second, n_bootstrap=300)
    assert found.interval is not None and found.counterfactual_interval is not None
    low, high = found.counterfactual_interval
    assert low < found.counterfactual_balanced_accuracy < high
    assert found.interval == pytest.approx((1 - high, 1 - low))
    assert found.as_dict()["counterfactual_interval"] == [low, high]
    assert drop_of(cohort(1.0), second, n_bootstrap=0).counterfactual_interval is None


def test_spots_of_a_patient_stay_together() -> None:
    """Ten spots that always agree are one: as wide as with one spot a patient."""
    one = cohort(0.7, n_spots=1, n_patients=80)
    ten = one.loc[one.index.repeat(10)].reset_index(drop=True)
    perfect = cohort(1.0, prefix="Q")
    found = [drop_of(table, perfect, n_bootstrap=2000).interval for table in (one, ten)]
    assert found[0] is not None and found[0] == found[1]
    spots = cohort(0.7, n_spots=10, n_patients=80)
    narrow = drop_of(spots, perfect, n_bootstrap=2000).interval
    assert narrow is not None
    assert narrow[1] - narrow[0] < 0.5 * (found[0][1] - found[0][0])


def test_patients_of_the_two_cohorts_are_drawn_independently() -> None:
    table = cohort(0.7, spread=0.2)
    twin = table.assign(patient=np.char.add("Q", table["patient"].to_numpy(dtype=str)))
    both = drop_of(table, twin, n_bootstrap=4000).interval
    one = drop_of(table, cohort(1.0, prefix="R"), n_bootstrap=4000).interval
    assert both is not None and one is not None
    assert both[1] - both[0] == pytest.approx(np.sqrt(2) * (one[1] - one[0]), rel=0.1)


def test_the_interval_holds_the_true_drop() -> None:
    true, held, above = 0.3, 0, 0
    n = 120
    for seed in range(n):
        found = drop_of(
            cohort(0.8, spread=0.1, seed=seed),
            models(cohort(0.5, spread=0.1, prefix="Q", seed=10_000 + seed)),
            n_bootstrap=300,
        )
        assert found.interval is not None and found.at_least is not None
        held += found.interval[0] <= true <= found.interval[1]
        above += found.at_least > true
    assert 0.88 <= held / n <= 0.99
    assert above / n <= 0.12


def test_equal_seeds_give_equal_intervals_and_none_is_drawn_where_none_is_asked_for() -> None:
    pair = cohort(0.9), cohort(0.6, prefix="Q")
    assert drop_of(*pair, seed=2) == drop_of(*pair, seed=2) != drop_of(*pair, seed=3)
    without = drop_of(*pair, n_bootstrap=0)
    assert without.interval is None and without.at_least is None
    assert without.as_dict()["interval"] is None
    assert drop_of(cohort(0.9), cohort(0.6)).n_shared_patients == 40


def test_a_second_design_that_is_not_broken_is_not_applicable() -> None:
    second = cohort(0.6, prefix="Q", nested=True)
    found = counterfactual_drop(cohort(0.9), second, CLASSES)
    assert isinstance(found, NotApplicable)
    assert "no TMA holds two classes" in found.reason and "V 0.97" in found.reason
    alone = second.assign(tma=second["patient"])  # a TMA for every patient: V knows nothing
    found = counterfactual_drop(cohort(0.9), alone, CLASSES)
    assert isinstance(found, NotApplicable) and "no TMA holds two classes" in found.reason
    mixed = second.copy()
    mixed.loc[mixed["patient"].isin(["Q0", "Q4"]), "tma"] = "T3"
    found = counterfactual_drop(cohort(0.9), mixed, CLASSES)
    assert isinstance(found, NotApplicable) and "they go together" in found.reason
    # That of the original may be what it will, and one TMA ties nothing.
    assert drop_of(cohort(0.9, nested=True), cohort(0.6, prefix="Q")).v == 0.0
    assert drop_of(cohort(0.9), second.assign(tma="T1")).v == 0.0


def test_association_is_that_of_patients() -> None:
    second = cohort(0.6, prefix="Q")
    second.loc[second["patient"].isin(["Q0", "Q2", "Q4"]), "tma"] = "T0"
    found = drop_of(cohort(0.9), models(second, second))
    patients = second.drop_duplicates("patient")
    v = cramers_v(
        np.eye(2)[patients["y"]], pd.get_dummies(patients["tma"]).to_numpy(dtype=np.float64)
    )
    assert found.v == pytest.approx(v)


@pytest.mark.parametrize("which", ["original", "second"])
def test_missing_classes_and_few_patients_are_not_applicable(which: str) -> None:
    tables = {"original": cohort(0.9), "second": cohort(0.6, prefix="Q")}
    whole = tables[which]
    tables[which] = whole[whole["y"] == 0]
    found = counterfactual_drop(tables["original"], tables["second"], CLASSES)
    assert isinstance(found, NotApplicable)
    assert which in found.reason and "no spot of class pancreas" in found.reason
    few = [f"{'P' if which == 'original' else 'Q'}{2 * at + 1}" for at in range(4)]
    tables[which] = whole[(whole["y"] == 0) | whole["patient"].isin(few)]
    found = counterfactual_drop(tables["original"], tables["second"], CLASSES)
    assert isinstance(found, NotApplicable) and "4 patients of class pancreas" in found.reason


def test_three_classes() -> None:
    names = ("a", "b", "c")
    original = cohort(0.9, n_classes=3, n_patients=60)
    second = cohort(0.4, n_classes=3, n_patients=60, prefix="Q")
    found = counterfactual_drop(original, second, names)
    assert isinstance(found, CounterfactualDrop)
    assert found.drop == pytest.approx(balanced(original) - balanced(second))
    assert found.drop == pytest.approx(np.mean(list(found.drop_by_class.values())))


def test_tables_that_cannot_be_read_are_refused() -> None:
    original, second = cohort(0.9), cohort(0.6, prefix="Q")
    for first, other, words in (
        (original.drop(columns="patient"), second, "original cohort lack the column 'patient'"),
        (original, second.drop(columns="predicted"), "second cohort lack the column 'prob_lung'"),
        (original, second.drop(columns="tma"), "lack the column 'tma'"),
        (original.iloc[:0], second, "are empty"),
        (original, second.assign(predicted=2), "class number 2; expected 0 to 1"),
        (original, models(second, second.iloc[:-1]), "different spots for different fold"),
    ):
        with pytest.raises(StoreError, match=words):
            counterfactual_drop(first, other, CLASSES)
    torn = second.drop(columns="predicted").assign(prob_lung=np.nan, prob_pancreas=1.0)
    with pytest.raises(StoreError, match="not all finite"):
        counterfactual_drop(original, torn, CLASSES)
