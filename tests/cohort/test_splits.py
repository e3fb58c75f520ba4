"""Folds: what they promise, on designs like the published ones and on arbitrary ones."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corespot.cohort.dealing import exact_cover, largest_k
from corespot.cohort.foldtable import Fold, FoldTable
from corespot.cohort.groups import group_spots, patient_ids
from corespot.cohort.splits import (
    FoldSettings,
    inner_folds,
    leakage_groupings,
    make_folds,
    strictest_groups,
)
from corespot.cohort.tasks import Task, TaskSpots, select_spots
from corespot.errors import FoldError, ParamsError


def spot_table(cores: list[tuple[str, str, str, dict[str, int]]]) -> pd.DataFrame:
    """Spots of cores given as (core, tma, patient, {label: n_spots})."""
    lines = [
        {"file": f"{tma}.imzML", "core": core, "tma": tma, "patient": patient, "label": label}
        for core, tma, patient, labels in cores
        for label, n_spots in labels.items()
        for _ in range(n_spots)
    ]
    table = pd.DataFrame(lines)
    table["spectrum"] = table.groupby("file").cumcount()
    return table


def task_of(spots: pd.DataFrame, classes: list[str] | None = None) -> TaskSpots:
    names = classes or sorted(spots["label"].unique())
    return select_spots(spots, "task", Task(label="label", classes=tuple(names)))


def nested_lp(rng: np.random.Generator) -> TaskSpots:
    """8 lung and 4 pancreas TMAs, as in the paper: no TMA holds both."""
    cores = []
    for tma, (organ, n_patients, per_patient) in enumerate(
        [("lung", 10, 2)] * 8 + [("pancreas", 7, 3)] * 4
    ):
        for patient, core in itertools.product(range(n_patients), range(per_patient)):
            name = f"t{tma}p{patient}"
            cores.append((f"{name}c{core}", f"TMA{tma}", name, {organ: int(rng.integers(20, 60))}))
    return task_of(spot_table(cores))


def mixed_adsq(rng: np.random.Generator) -> TaskSpots:
    """8 TMAs that hold both subtypes in uneven numbers, one subtype a patient."""
    cores = []
    for tma in range(8):
        for patient in range(int(rng.integers(8, 14))):
            label = "AD" if patient < 2 or rng.random() < 0.6 else "SQ"
            label = "SQ" if patient == 7 else label
            name = f"t{tma}p{patient}"
            cores += [
                (f"{name}c{core}", f"TMA{tma}", name, {label: int(rng.integers(10, 40))})
                for core in range(int(rng.integers(1, 3)))
            ]
    return task_of(spot_table(cores))


def two_tmas(rng: np.random.Generator) -> TaskSpots:
    """2 TMAs, 20 cores each, both tissues on most cores; patients unknown."""
    cores = []
    for tma, core in itertools.product(range(2), range(20)):
        counts = {"tumor": int(rng.integers(5, 60)), "stroma": int(rng.integers(5, 60))}
        if core % 3 == 0:
            counts.pop("tumor")
        cores.append((f"core-{tma}-{core}", f"TMA{tma}", "", counts))
    return task_of(spot_table(cores))


def check_promises(table: FoldTable, task: TaskSpots) -> None:
    tested: dict[int, list[int]] = {}
    for fold in table:
        y_of = dict(zip(task.rows.tolist(), task.y.tolist(), strict=True))
        for rows in (fold.train_rows, fold.test_rows):
            assert {y_of[row] for row in rows.tolist()} == set(range(len(task.classes)))
        assert set(fold.train_rows) | set(fold.test_rows) == set(task.rows)
        assert not set(fold.train_rows) & set(fold.test_rows)
        assert not set(fold.train_groups) & set(fold.test_groups)
        tested.setdefault(fold.repeat, []).extend(fold.test_rows.tolist())
    for rows in tested.values():
        assert sorted(rows) == task.rows.tolist()  # every spot is tested once a repeat


def partition(table: FoldTable, repeat: int) -> frozenset[frozenset[int]]:
    return frozenset(
        frozenset(table.fold(repeat, index).test_rows.tolist()) for index in range(table.k)
    )


@pytest.mark.parametrize("design", [nested_lp, mixed_adsq])
@pytest.mark.parametrize("group", ["tma", "patient", "core", "spot"])
def test_folds_keep_their_promises(design, group) -> None:
    task = design(np.random.default_rng(3))
    table = make_folds(task, FoldSettings(group=group, k=4, repeats=3, seed=7))
    check_promises(table, task)
    assert len({partition(table, repeat) for repeat in range(3)}) == 3
    assert table.optimistic is (group == "spot")
    assert ("optimistic" in table.label) is (group == "spot")
    shares = table.counts().groupby("class")["n_spots"].agg(lambda n: n.max() / n.mean())
    assert shares.max() < {"tma": 1.35, "patient": 1.06, "core": 1.03, "spot": 1.01}[group]


def test_nested_design_puts_two_lung_and_one_pancreas_tma_into_each_fold() -> None:
    table = make_folds(nested_lp(np.random.default_rng(0)), FoldSettings(k=4, repeats=4, seed=1))
    n_tmas = table.counts().pivot(index=["repeat", "fold"], columns="class", values="n_groups")
    assert (n_tmas["lung"] == 2).all() and (n_tmas["pancreas"] == 1).all()


def test_two_tmas_with_both_classes_have_one_deal_and_the_table_says_so() -> None:
    task = two_tmas(np.random.default_rng(0))
    table = make_folds(task, FoldSettings(group="tma", k=2, repeats=2, seed=0))
    check_promises(table, task)
    assert partition(table, 0) == partition(table, 1)
    assert any("like an earlier one" in note for note in table.notes)
    assert any("40 cores have no patient id" in note for note in table.notes)


def test_same_seed_same_folds_and_more_repeats_keep_the_first() -> None:
    task = mixed_adsq(np.random.default_rng(5))
    two = make_folds(task, FoldSettings(repeats=2, seed=4))
    again = make_folds(task, FoldSettings(repeats=2, seed=4))
    assert two.fingerprint == again.fingerprint
    four = make_folds(task, FoldSettings(repeats=4, seed=4))
    pd.testing.assert_frame_equal(four.assignment[four.assignment["repeat"] < 2], two.assignment)
    assert make_folds(task, FoldSettings(repeats=2, seed=5)).fingerprint != two.fingerprint


def test_class_on_one_tma_is_refused_with_the_alternative() -> None:
    task = nested_lp(np.random.default_rng(0))
    one = task.spots[task.spots["tma"].isin([f"TMA{i}" for i in range(9)])]
    with pytest.raises(FoldError) as caught:
        make_folds(task_of(one.reset_index(drop=True)), FoldSettings(k=4))
    assert str(caught.value) == (
        "class pancreas occurs on 1 TMA; TMA-grouped folds need at least 2 per class: "
        "use group: patient, and expect the audit to object"
    )


def test_class_named_by_its_tma_is_refused_on_tmas_and_runs_on_cores() -> None:
    spots = two_tmas(np.random.default_rng(0)).spots
    stroma = spots[spots["label"] == "stroma"].assign(label=spots["tma"]).reset_index(drop=True)
    task = task_of(stroma)
    with pytest.raises(FoldError, match="class TMA0 occurs on 1 TMA; TMA-grouped folds need"):
        make_folds(task, FoldSettings(group="tma", k=2))
    table = make_folds(task, FoldSettings(group="core", k=4))
    check_promises(table, task)
    assert any("2 TMAs hold more than one core" in note for note in table.notes)


def test_too_many_folds_are_refused_with_the_number_that_works() -> None:
    with pytest.raises(FoldError, match=r"occurs on 2 TMAs; 4 TMA-grouped folds.*: use k: 2; or"):
        make_folds(two_tmas(np.random.default_rng(0)), FoldSettings(group="tma", k=4))
    few = task_of(spot_table([("c1", "T", "p1", {"a": 9}), ("c2", "T", "p2", {"b": 9})]))
    with pytest.raises(FoldError, match=r"class a occurs in 1 core; .*use group: spot, and call"):
        make_folds(few, FoldSettings(group="core", k=2))
    with pytest.raises(FoldError, match=r"class a occurs in 1 patient.*use group: spot"):
        make_folds(few, FoldSettings(group="patient", k=2))
    single = task_of(spot_table([("c1", "T", "p1", {"a": 9, "b": 1})]))
    with pytest.raises(FoldError, match=r"class b occurs on 1 spot.*measure this class on more"):
        make_folds(single, FoldSettings(group="spot", k=2))


def test_mixture_of_classes_that_cannot_be_dealt_is_proven_and_refused() -> None:
    pairs = [("a", "b"), ("b", "c"), ("a", "c")]
    task = task_of(
        spot_table(
            [
                (f"c{i}{label}", f"T{i}", f"p{i}{label}", {label: 5})
                for i, pair in enumerate(pairs)
                for label in pair
            ]
        )
    )
    with pytest.raises(FoldError, match=r"3 TMAs cannot be dealt into 2 folds.*use group: patient"):
        make_folds(task, FoldSettings(group="tma", k=2))


def brute_force_k(present: np.ndarray) -> int:
    best = 1
    for k in range(2, len(present) + 1):
        for parts in itertools.product(range(k), repeat=len(present)):
            held = np.zeros((k, present.shape[1]), dtype=bool)
            np.logical_or.at(held, list(parts), present)
            if held.all():
                best = k
                break
    return best


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.integers(2, 4), st.integers(0, 10_000))
def test_largest_k_agrees_with_trying_everything(n_groups, n_classes, seed) -> None:
    rng = np.random.default_rng(seed)
    present = rng.random((n_groups, n_classes)) < 0.6
    present[rng.integers(n_groups), ~present.any(axis=0)] = True
    most = brute_force_k(present)
    assert max(largest_k(present), 1) == most
    if most > 1:
        parts = exact_cover(present, most, rng=rng)
        assert parts is not None
        for fold in range(most):
            assert present[parts == fold].any(axis=0).all()


@settings(max_examples=25, deadline=None)
@given(
    st.integers(2, 4),
    st.integers(2, 4),
    st.sampled_from(["tma", "patient", "core"]),
    st.integers(0, 10_000),
)
def test_any_design_is_either_folded_soundly_or_refused_rightly(k, n_classes, group, seed) -> None:
    rng = np.random.default_rng(seed)
    cores = []
    for core in range(int(rng.integers(4, 25))):
        labels = rng.choice(n_classes, size=int(rng.integers(1, n_classes + 1)), replace=False)
        cores.append(
            (
                f"c{core}",
                f"T{rng.integers(5)}",
                ["", f"p{rng.integers(12)}"][int(rng.random() < 0.8)],
                {f"class{label}": int(rng.integers(1, 9)) for label in labels},
            )
        )
    spots = spot_table(cores)
    if spots["label"].nunique() < 2:
        return
    task = task_of(spots)
    groups = group_spots(task.spots, group).names
    present = pd.crosstab(groups, task.y).to_numpy() > 0
    possible = largest_k(present)
    try:
        table = make_folds(task, FoldSettings(group=group, k=k, repeats=2, seed=seed))
    except FoldError:
        assert possible < k
        return
    assert possible >= k
    check_promises(table, task)
    table.check_against(spots)


def test_tmas_that_share_a_patient_are_one_group() -> None:
    cores = [(f"c{i}", f"T{i}", f"p{i}", {"a": 4, "b": 4}) for i in range(5)]
    cores.append(("c9", "T1", "p0", {"a": 3}))
    task = task_of(spot_table(cores))
    groups = group_spots(task.spots, "tma")
    assert set(groups.names) == {"T0+T1", "T2", "T3", "T4"}
    assert groups.notes == (
        "TMAs T0 and T1 count as one group: patient p0 sits on more than one of them",
    )
    table = make_folds(task, FoldSettings(group="tma", k=4))
    assert groups.notes[0] in table.notes
    with pytest.raises(FoldError, match=r"occurs on 4 TMAs.*T0 and T1 count as one.*use k: 4"):
        make_folds(task, FoldSettings(group="tma", k=5))


def test_core_without_patient_is_a_patient_of_its_own() -> None:
    spots = spot_table([("c1", "T", "", {"a": 1}), ("c2", "T", "c1", {"a": 1})])
    spots.loc[2] = {**spots.loc[0].to_dict(), "core": "c3", "patient": None}
    assert patient_ids(spots).tolist() == ["core:c1", "c1", "core:c3"]


def test_empty_tma_is_refused() -> None:
    spots = spot_table([("c1", "", "p", {"a": 3, "b": 3}), ("c2", "T", "q", {"a": 3, "b": 3})])
    with pytest.raises(FoldError, match="6 spots have no TMA"):
        make_folds(task_of(spots), FoldSettings(k=2))


def test_fold_refuses_a_group_on_both_sides_and_names_it() -> None:
    with pytest.raises(FoldError, match="group TMA7 is in the training and in the test part"):
        Fold(
            0,
            1,
            np.array([0, 1]),
            np.array([2]),
            np.array(["TMA7", "TMA8"]),
            np.array(["TMA7"]),
        )
    with pytest.raises(FoldError, match="row 1 is in the training"):
        Fold(0, 1, np.array([0, 1]), np.array([1]), np.array(["a", "b"]), np.array(["c"]))


def good_table() -> tuple[TaskSpots, FoldTable]:
    task = mixed_adsq(np.random.default_rng(1))
    return task, make_folds(task, FoldSettings(k=4, repeats=2, seed=1))


def with_assignment(table: FoldTable, assignment: pd.DataFrame) -> FoldTable:
    fields = ("task", "classes", "grouping", "k", "repeats", "seed")
    return FoldTable(**{name: getattr(table, name) for name in fields}, assignment=assignment)


def test_table_refuses_a_group_in_two_folds_a_lost_row_and_a_missing_class() -> None:
    _, table = good_table()
    moved = table.assignment.copy()
    moved.loc[0, "fold"] = (moved.loc[0, "fold"] + 1) % 4
    with pytest.raises(FoldError, match=r"task task, repeat 0: TMA TMA\d is in fold"):
        with_assignment(table, moved)
    with pytest.raises(FoldError, match="do not hold equal spots"):
        with_assignment(table, table.assignment.iloc[1:])
    doubled = table.assignment.copy()
    doubled.loc[1, "row"] = doubled.loc[0, "row"]
    with pytest.raises(FoldError, match="missing from or twice"):
        with_assignment(table, doubled)
    one_class = table.assignment.assign(y=0)
    with pytest.raises(FoldError, match="no spot of class SQ"):
        with_assignment(table, one_class)
    with pytest.raises(FoldError, match="lacks the column 'group'"):
        with_assignment(table, table.assignment.drop(columns="group"))
    with pytest.raises(FoldError, match="no fold 4 of repeat 0"):
        table.fold(0, 4)


def test_use_checks_the_store_again() -> None:
    task, table = good_table()
    table.check_against(task.spots)
    table.check_task(task)
    shuffled = task.spots.sample(frac=1.0, random_state=0).reset_index(drop=True)
    with pytest.raises(FoldError, match="made for other spots"):
        table.check_against(shuffled)
    with pytest.raises(FoldError, match="run `dvc repro folds` again"):
        table.check_against(task.spots.iloc[:-1])
    # A patient entered later who sits on two TMAs of different folds.
    first, second = (table.fold(0, index).test_rows[0] for index in (0, 1))
    spots = task.spots.copy()
    spots.loc[[first, second], "patient"] = "newcomer"
    with pytest.raises(FoldError, match="patient newcomer is in fold"):
        table.check_against(spots)
    swapped = TaskSpots(task.name, task.classes, task.rows, 1 - task.y, task.spots)
    with pytest.raises(FoldError, match="other spots or classes"):
        table.check_task(swapped)


def test_rows_are_store_rows_not_positions() -> None:
    spots = two_tmas(np.random.default_rng(0)).spots
    unlabelled = spots.iloc[:50].assign(label="")
    everything = pd.concat([unlabelled, spots], ignore_index=True)
    table = make_folds(task_of(everything, ["stroma", "tumor"]), FoldSettings(group="core", k=3))
    assert table.rows[0] == 50
    table.check_against(everything)


def test_leakage_groupings_report_what_is_impossible() -> None:
    found = leakage_groupings(nested_lp(np.random.default_rng(0)), FoldSettings(k=4, repeats=1))
    assert [table.grouping for table in found] == ["spot", "core", "patient", "tma"]
    assert found.refused == {}
    found = leakage_groupings(two_tmas(np.random.default_rng(0)), FoldSettings(k=4, repeats=1))
    assert [table.grouping for table in found] == ["spot", "core", "patient"]
    assert "occurs on 2 TMAs" in found.refused["tma"]
    # One core a patient: the same folds, so that their gap is exactly nothing.
    assert partition(found.tables[1], 0) == partition(found.tables[2], 0)


def test_inner_folds_are_grouped_and_hold_every_class() -> None:
    task = mixed_adsq(np.random.default_rng(2))
    labels = np.array(task.classes)[task.y]
    groups = task.group_of("patient")
    parts = inner_folds(groups, labels, 3, seed=1)
    assert np.array_equal(
        np.sort(np.concatenate([test for _, test in parts])), np.arange(len(task))
    )
    for train, test in parts:
        assert not set(groups[train]) & set(groups[test])
        assert set(labels[train]) == set(labels[test]) == {"AD", "SQ"}
    again = inner_folds(groups, labels, 3, seed=1)
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(parts, again, strict=True))
    with pytest.raises(FoldError, match="use finer groups"):
        inner_folds(np.repeat("TMA1", 6), [0, 1] * 3, 2, seed=0)
    with pytest.raises(FoldError, match="use k = 2"):
        inner_folds(["p", "p", "q", "q"], [0, 1, 0, 1], 4, seed=0)


def test_strictest_groups_fall_back_where_one_tma_is_left() -> None:
    task = two_tmas(np.random.default_rng(0))
    left = task.spots["tma"] == "TMA0"
    grouping, groups = strictest_groups(task.spots[left], task.y[left], 3)
    assert grouping == "patient"
    assert len(inner_folds(groups, task.y[left], 3, seed=0)) == 3
    grouping, _ = strictest_groups(task.spots, task.y, 2)
    assert grouping == "tma"


def test_many_groups_are_dealt_fast_and_evenly() -> None:
    rng = np.random.default_rng(0)
    cores = [
        (
            f"c{i}",
            f"T{i % 12}",
            f"p{i // 2}",
            {str(rng.choice(["a", "b"])): int(rng.integers(5, 50))},
        )
        for i in range(1500)
    ]
    table = make_folds(task_of(spot_table(cores)), FoldSettings(group="core", k=4, repeats=1))
    spots = table.counts()["n_spots"]
    assert spots.max() / spots.min() < 1.2


@pytest.mark.parametrize("wrong", [{"k": 1}, {"repeats": 0}, {"group": "slide"}, {"folds": 3}])
def test_settings_refuse(wrong) -> None:
    with pytest.raises(ParamsError, match=re.escape("params.yaml: folds")):
        FoldSettings.parse(wrong, "params.yaml: folds")


def test_real_bladder_tma(shared_data) -> None:
    folder = shared_data("bladder-tma")
    text = {"keep_default_na": False, "dtype": str}
    spots = pd.read_csv(folder / "spots.csv", **text).merge(
        pd.read_csv(folder / "cores.csv", **text), on="core", validate="many_to_one"
    )
    tissue = select_spots(spots, "tissue", Task(label="tissue", classes=("tumor", "stroma")))
    check_promises(make_folds(tissue, FoldSettings(group="tma", k=2, repeats=2)), tissue)
    core_folds = make_folds(tissue, FoldSettings(group="core", k=4, repeats=4))
    check_promises(core_folds, tissue)
    slide = select_spots(
        spots, "slide_in_stroma", Task(label="slide_in_stroma", classes=("TMA1", "TMA2"))
    )
    with pytest.raises(FoldError, match=r"class TMA1 occurs on 1 TMA; .*use group: patient, and"):
        make_folds(slide, FoldSettings(group="tma", k=2))
    check_promises(make_folds(slide, FoldSettings(group="core", k=4)), slide)
