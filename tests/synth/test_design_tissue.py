"""Designs as tables, and the geometry of cores and regions."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from corespot.synth.design import (
    DesignName,
    DesignSettings,
    OrganSettings,
    TmaPlan,
    campaign_of,
    plan_tmas,
)
from corespot.synth.tissue import TissueSettings, disc_points, draw_region, lay_out_tma

GROUP = OrganSettings(n_tmas=4, patients_per_tma=10)


def plans(name: DesignName, *, counterfactual: bool = False) -> tuple[TmaPlan, ...]:
    settings = DesignSettings(name=name, lung=GROUP, pancreas=GROUP, counterfactual=counterfactual)
    return plan_tmas(settings, np.random.default_rng(0))


def table(tmas: tuple[TmaPlan, ...]) -> list[tuple[str, int, int]]:
    """Campaign, lung patients, pancreas patients of each TMA."""
    rows = []
    for plan in tmas:
        organs = Counter(patient.organ for patient in plan.patients)
        rows.append((plan.campaign, organs["lung"], organs["pancreas"]))
    return rows


def test_nested_puts_no_tma_and_no_campaign_under_both_organs() -> None:
    assert table(plans("nested")) == [("A", 10, 0)] * 4 + [("B", 0, 10)] * 4


def test_partial_mixes_eighty_to_twenty() -> None:
    assert table(plans("partial")) == [("A", 8, 2)] * 4 + [("B", 2, 8)] * 4


def test_balanced_holds_both_organs_everywhere_in_both_campaigns() -> None:
    rows = table(plans("balanced"))
    assert all(row[1:] == (5, 5) for row in rows)
    assert Counter(row[0] for row in rows) == {"A": 4, "B": 4}


def test_nested_mixed_nests_tmas_but_not_campaigns() -> None:
    rows = table(plans("nested_mixed"))
    assert all(0 in row[1:] for row in rows)
    assert {(row[0], row[1] > 0) for row in rows} == {
        ("A", True),
        ("A", False),
        ("B", True),
        ("B", False),
    }


@pytest.mark.parametrize("name", ["balanced", "partial", "nested", "nested_mixed"])
def test_counterfactual_keeps_campaigns_and_mixes_organs(name: DesignName) -> None:
    original, crossed = plans(name), plans(name, counterfactual=True)
    assert [plan.campaign for plan in original] == [plan.campaign for plan in crossed]
    assert all(row[1:] == (5, 5) for row in table(crossed))
    patients = [{p.patient for plan in tmas for p in plan.patients} for tmas in (original, crossed)]
    assert not patients[0] & patients[1]


def test_patients_are_unique_and_subtypes_belong_to_lung() -> None:
    tmas = plans("partial")
    patients = [patient for plan in tmas for patient in plan.patients]
    assert len({patient.patient for patient in patients}) == len(patients) == 80
    assert all((patient.subtype != "") == (patient.organ == "lung") for patient in patients)
    assert {patient.n_cores for patient in patients} <= {1, 2, 3}
    for plan in tmas[:4]:
        subtypes = Counter(p.subtype for p in plan.patients if p.organ == "lung")
        assert abs(subtypes["AD"] - subtypes["SQ"]) <= 1


def test_campaigns_are_measured_at_different_times() -> None:
    dates: dict[str, list[str]] = {"A": [], "B": []}
    for plan in plans("nested"):
        dates[plan.campaign].append(plan.acquisition_date)
    assert max(dates["A"]) < min(dates["B"])
    assert len(set(dates["A"] + dates["B"])) == 8
    assert campaign_of("nested", "pancreas", 0) == "B"


def test_disc_is_a_full_round_grid_with_unit_spacing() -> None:
    points = disc_points(2.5)
    assert len(points) == 21
    assert np.all(np.hypot(*points.T) <= 2.5)
    distance = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1))
    np.fill_diagonal(distance, np.inf)
    assert np.all(distance.min(axis=1) == 1)


@pytest.mark.parametrize("seed", range(5))
def test_region_is_part_of_the_core(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = disc_points(5.0)
    inside = draw_region(points, 0.4, rng)
    assert inside.sum() == round(0.4 * len(points))
    # Star-shaped: most of its spots touch another one of it.
    part = points[inside]
    distance = np.abs(part[:, None] - part[None]).sum(axis=2)
    assert np.mean((distance == 1).sum(axis=1) >= 2) > 0.8


def test_region_never_fills_the_core() -> None:
    points = disc_points(1.0)
    rng = np.random.default_rng(0)
    assert draw_region(points, 1.0, rng).sum() == len(points) - 1
    assert draw_region(points, 0.0, rng).sum() == 1


def test_cores_lie_in_rows_and_columns_with_gaps() -> None:
    plan = plans("nested")[0]
    settings = TissueSettings(core_radius=(2.0, 3.4), gap=3, background_per_tma=15)
    tissue = lay_out_tma(plan, settings, np.random.default_rng(1))
    n_cores = sum(patient.n_cores for patient in plan.patients)
    assert len(tissue.core_names) == len(set(tissue.core_names)) == n_cores
    assert Counter(tissue.core_patient.tolist()) == {
        index: patient.n_cores for index, patient in enumerate(plan.patients)
    }
    xy = tissue.coordinates[:, :2]
    assert tissue.coordinates.min() >= 1
    assert np.all(tissue.coordinates[:, 2] == 1)
    assert len({tuple(point) for point in xy.tolist()}) == len(xy)
    centres = np.array([xy[tissue.core == index].mean(axis=0) for index in range(n_cores)])
    pitch = 2 * 3 + 1 + 3
    assert np.all((centres - centres[0]) % pitch == 0)
    distance = np.abs(xy[:, None] - xy[None]).max(axis=2)
    other = (tissue.core[:, None] != tissue.core[None]) & (tissue.core[:, None] >= 0)
    between_cores = other & (tissue.core[None] >= 0)
    assert distance[between_cores].min() > 3
    assert distance[other].min() > 1
    assert np.sum(tissue.core < 0) == 15


def test_tumour_lies_in_the_region_and_the_region_in_cores() -> None:
    plan = plans("nested")[0]
    tissue = lay_out_tma(plan, TissueSettings(impurity=0.3), np.random.default_rng(2))
    assert not np.any(tissue.roi & (tissue.core < 0))
    assert not np.any(tissue.tumour & ~tissue.roi)
    for index in range(len(tissue.core_names)):
        roi = tissue.roi[tissue.core == index]
        assert roi.any() and not roi.all()
    purity = tissue.tumour.sum() / tissue.roi.sum()
    assert 0.55 < purity < 0.85
