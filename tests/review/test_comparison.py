"""A run against a reference: what is paired, what is refused, what is cautioned against."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from corespot.errors import StoreError
from corespot.review.compared_runs import cautions, labels_of, shortened
from corespot.review.comparison import compare_runs, fold_differences
from corespot.review.run_record import RunRecord
from corespot.tracking.reading import LoggedRun
from corespot.tracking.run_files import RunFiles

HOSTILE = "<script>alert('1')</script> \"*x*\" ../../x 🧪"
N_PATIENTS, N_SPOTS = 12, 8


def spots_table(n_patients: int = N_PATIENTS, n_spots: int = N_SPOTS) -> pd.DataFrame:
    patient = np.repeat(np.arange(n_patients), n_spots)
    return pd.DataFrame(
        {
            "file": "TMA01.imzML",
            "x": np.arange(len(patient)),
            "y": 1,
            "core": [f"C{one:04d}" for one in patient],
            "patient": [f"P{one:04d}" for one in patient],
            "row": np.arange(len(patient)),
            "class": np.where(patient % 2 == 0, "a", "b"),
        }
    )


def predicted(spots: pd.DataFrame, right: float, classes=("a", "b"), seed=0) -> pd.DataFrame:
    """Predictions of a model that is right with this probability."""
    rng = np.random.default_rng(seed)
    y = (spots["class"] == classes[1]).to_numpy(dtype=np.int64)
    true = np.where(rng.random(len(y)) < right, rng.uniform(0.5, 1, len(y)), 0.3)
    probability = np.where(y == 1, true, 1 - true)
    table = pd.DataFrame({"row": spots["row"], "repeat": 0, "fold": spots["row"] % 2, "y": y})
    return table.assign(
        **{f"prob_{classes[0]}": 1 - probability, f"prob_{classes[1]}": probability}
    )


def record(
    folder: Path, name: str, predictions=None, spots=None, folds=None, classes=("a", "b"), **tags
) -> RunRecord:
    base = folder / name
    (base / "tables").mkdir(parents=True)
    for table, kind in ((predictions, "predictions"), (spots, "spots"), (folds, "fold_metrics")):
        if table is not None:
            table.to_parquet(base / "tables" / f"{kind}.parquet")
    every = {"task": "LP", "dvc.store": "s1", "folds.fingerprint": "f1", "axis.fingerprint": "a1"}
    run = LoggedRun(
        run_id=name,
        name=HOSTILE,
        experiment_id="1",
        experiment="demo",
        status=tags.pop("status", "FINISHED"),
        deleted=False,
        started=None,
        ended=None,
        artifact_uri=str(base),
        tags={**every, **{key.replace("__", "."): value for key, value in tags.items()}},
        params={"classes": json.dumps(list(classes))},
    )
    return RunRecord(run, RunFiles(None, run))


def spot_accuracy(pair) -> pd.Series:
    table = pair.differences
    return table[(table["level"] == "spot") & (table["metric"] == "balanced_accuracy")].iloc[0]


def test_a_run_against_itself_has_no_difference(tmp_path) -> None:
    spots = spots_table()
    one = record(tmp_path, "one", predicted(spots, 0.8), spots)
    pair = compare_runs(one, one)
    assert (pair.differences[["difference", "low", "high"]] == 0).all().all()
    assert pair.sentence() == "paired over 12 patients (96 spots), in the same folds"
    assert pair.folds.empty  # The run logged no table of folds, and the rest stands.


def test_differences_are_those_of_the_predictions(tmp_path) -> None:
    spots = spots_table()
    tables = [predicted(spots, right, seed=number) for number, right in enumerate((0.6, 0.9))]
    pair = compare_runs(*(record(tmp_path, f"r{i}", t, spots) for i, t in enumerate(tables)))
    values = []
    for table in tables:
        hit = (table["prob_b"] > 0.5) == (table["y"] == 1)
        values.append(hit.groupby(table["y"]).mean().mean())
    found = spot_accuracy(pair)
    assert (found["reference"], found["run"]) == pytest.approx(tuple(values))
    assert found["low"] < found["difference"] < found["high"]


def test_another_order_of_classes_changes_nothing(tmp_path) -> None:
    spots = spots_table()
    tables = [predicted(spots, right, seed=number) for number, right in enumerate((0.6, 0.9))]
    reference = record(tmp_path, "reference", tables[0], spots)
    plain = compare_runs(reference, record(tmp_path, "plain", tables[1], spots))
    turned = tables[1].assign(y=1 - tables[1]["y"])
    other = record(tmp_path, "turned", turned, spots, classes=("b", "a"))
    pd.testing.assert_frame_equal(compare_runs(reference, other).differences, plain.differences)


def test_another_store_is_paired_by_place_and_only_over_what_is_shared(tmp_path) -> None:
    spots = spots_table()
    reference = record(tmp_path, "reference", predicted(spots, 0.7), spots)
    # The other store numbers its rows otherwise, lacks a patient, and calls one by the other class.
    later = spots[spots["patient"] != "P0000"].assign(row=lambda t: 500 - t["row"])
    later.loc[later["patient"] == "P0001", "class"] = "a"
    run = record(tmp_path, "run", predicted(later, 1.0), later, dvc__store="s2")
    pair = compare_runs(reference, run)
    assert (pair.n_patients, pair.n_spots, pair.n_reference, pair.n_run) == (10, 80, 96, 88)
    assert "10 patients (80 spots), the part that both have predicted" in pair.sentence()
    assert spot_accuracy(pair)["run"] == 1.0
    # Had rows been taken for the same, other spots would have met: the reference has no row 500.
    same_numbers = record(tmp_path, "same", predicted(later, 1.0), later)
    with pytest.raises(StoreError, match="no spot was predicted by both"):
        compare_runs(reference, same_numbers)


def test_spots_that_were_labelled_anew_are_left_out_in_the_same_store(tmp_path) -> None:
    spots = spots_table()
    later = spots.copy()
    later.loc[later["patient"] == "P0001", "class"] = "a"
    pair = compare_runs(
        record(tmp_path, "one", predicted(spots, 0.7), spots),
        record(tmp_path, "other", predicted(later, 1.0), later),
    )
    assert (pair.n_patients, pair.n_spots, spot_accuracy(pair)["run"]) == (11, 88, 1.0)


def test_an_unknown_store_is_never_taken_for_the_same(tmp_path) -> None:
    spots = spots_table()
    later = spots.assign(row=spots["row"].to_numpy()[::-1])
    one = record(tmp_path, "one", predicted(spots, 0.7), spots, dvc__store="unknown")
    other = record(tmp_path, "other", predicted(later, 0.7), later, dvc__store="unknown")
    assert compare_runs(one, other).n_spots == 96


def test_what_cannot_be_compared_says_why(tmp_path) -> None:
    spots = spots_table()
    one = record(tmp_path, "one", predicted(spots, 0.7), spots)
    strange = spots.assign(**{"class": np.where(spots["class"] == "a", "c", "d")})
    other = record(
        tmp_path, "other", predicted(strange, 0.7, ("c", "d")), strange, classes=("c", "d")
    )
    with pytest.raises(StoreError, match=r"classes differ \(a, b and c, d\)"):
        compare_runs(one, other)
    running = record(tmp_path, "running", predicted(spots, 0.7), None, status="RUNNING")
    with pytest.raises(StoreError, match=r"spots\.parquet; it is still running"):
        compare_runs(one, running)
    (tmp_path / "one" / "tables" / "spots.parquet").write_bytes(b"garbage")
    with pytest.raises(StoreError):
        compare_runs(one, one)


@pytest.mark.parametrize("column", ["fold", "row", "prob_b"])
def test_a_table_without_a_column_is_named(tmp_path, column: str) -> None:
    spots = spots_table()
    one = record(tmp_path, "one", predicted(spots, 0.7), spots)
    torn = record(tmp_path, "torn", predicted(spots, 0.7).drop(columns=column), spots)
    with pytest.raises(StoreError, match=column):
        compare_runs(one, torn)


def test_what_is_kept_of_a_run_gives_the_same_and_is_of_these_predictions_alone(tmp_path) -> None:
    spots = spots_table()
    runs = [record(tmp_path, f"r{n}", predicted(spots, 0.8, seed=n), spots) for n in range(3)]
    kept: dict = {}
    for pair in ((0, 1), (1, 2), (2, 0)):
        found = compare_runs(*(runs[n] for n in pair), kept=kept)
        plain = compare_runs(*(runs[n] for n in pair))
        pd.testing.assert_frame_equal(found.differences, plain.differences)
    assert len(kept) == 3
    # The run went on, or was written anew: what was kept is of other predictions.
    predicted(spots, 0.5, seed=9).to_parquet(tmp_path / "r0" / "tables" / "predictions.parquet")
    found = compare_runs(runs[0], runs[1], kept=kept)
    pd.testing.assert_frame_equal(found.differences, compare_runs(runs[0], runs[1]).differences)
    assert len(kept) == 4


def test_other_folds_are_compared_over_patients_alone(tmp_path) -> None:
    spots = spots_table()
    folds = fold_table([0.5, 0.6])
    one = record(tmp_path, "one", predicted(spots, 0.7), spots, folds)
    same = record(tmp_path, "same", predicted(spots, 0.7), spots, folds)
    other = record(tmp_path, "other", predicted(spots, 0.7), spots, folds, folds__fingerprint="f2")
    assert len(compare_runs(one, same).folds) == 1
    pair = compare_runs(one, other)
    assert pair.folds.empty and "each in its own folds" in pair.sentence()


def fold_table(values) -> pd.DataFrame:
    shared = {"repeat": 0, "level": "spot", "metric": "balanced_accuracy"}
    return pd.DataFrame([{**shared, "fold": n, "value": v} for n, v in enumerate(values)])


def test_folds_are_paired_by_number_and_not_by_place() -> None:
    reference = fold_table([0.5, 0.6, 0.7, np.nan])
    found = fold_differences(reference, fold_table([0.6, 0.6, 0.9, 1.0]).iloc[::-1]).iloc[0]
    assert found["mean"] == pytest.approx(0.1)
    assert (found["lowest"], found["highest"]) == pytest.approx((0.0, 0.2))
    assert (found["n_better"], found["n_folds"]) == (2, 3)
    with pytest.raises(StoreError, match="value"):
        fold_differences(reference.drop(columns="value"), reference)


def test_cautions_name_what_differs_and_nothing_else(tmp_path) -> None:
    same = [record(tmp_path, f"same{i}").run for i in range(2)]
    assert cautions(same) == []
    other = record(
        tmp_path, "o", dvc__store="s2", folds__fingerprint="f2", git_dirty="true", optimistic="true"
    ).run
    said = " ".join(cautions([same[0], other]))
    for part in ("versions of the spectra", "different folds", "uncommitted", "optimistic"):
        assert part in said
    assert "axes" not in said and "tasks" not in said
    task = record(tmp_path, "t", task="ADSQ", folds__fingerprint="f3").run
    assert cautions([same[0], task]) == [
        "The runs are of different tasks: their figures answer different questions."
    ]


def test_labels_tell_runs_of_one_name_apart(tmp_path) -> None:
    runs = [
        record(tmp_path, "one", audit__verdict="confounded").run,
        record(tmp_path, "two", audit__verdict="no_evidence").run,
        record(tmp_path, "three", audit__verdict="splendid").run,
    ]
    assert labels_of(runs) == [f"A  {HOSTILE} ▲", f"B  {HOSTILE}", f"C  {HOSTILE}"]
    assert len(shortened("x" * 500)) == 48 and shortened("x" * 48) == "x" * 48


def test_27000_spots_take_less_than_a_second(tmp_path) -> None:
    spots = spots_table(200, 135)
    pair = [
        record(tmp_path, f"r{number}", predicted(spots, 0.8, seed=number), spots)
        for number in range(2)
    ]
    start = time.process_time()
    compare_runs(*pair)
    assert time.process_time() - start < 1.0


def test_probabilities_that_are_no_numbers_are_told(tmp_path) -> None:
    spots = spots_table()
    one = record(tmp_path, "one", predicted(spots, 0.8), spots)
    text = record(tmp_path, "two", predicted(spots, 0.8).assign(prob_b="x"), spots)
    with pytest.raises(StoreError, match="are no numbers"):
        compare_runs(one, text)
