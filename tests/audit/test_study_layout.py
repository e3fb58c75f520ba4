"""A study's layout is read off its spots, and synthetic cohorts have it."""

from __future__ import annotations

import pytest
from studies import small_fit, spot_table, store_of

from corespot.audit.calibration.study_cohorts import draw_study_cohort
from corespot.audit.calibration.study_layout import StudyLayout
from corespot.audit.design.association import associate
from corespot.audit.design.metadata_column import read_column
from corespot.axis import MzAxis
from corespot.cohort.groups import unit_ids
from corespot.cohort.tasks import Task, select_spots
from corespot.errors import AuditError
from corespot.synth.cohort import make_cohort

PATIENTS = [
    ("p1", "a", "T1", 1, 6),
    ("p2", "a", "T1", 2, 6),
    ("p3", "b", "T2", 3, 6),
    ("p4", "c", "T2", 1, 6),
    ("p5", "c", "T3", 8, 6),
    ("p5", "c", "T2", 1, 6),  # a patient on two TMAs
    ("CONTROL", "", "T1", 2, 6),
    ("CONTROL", "", "T3", 3, 6),
]
TASK = Task(label="kind", classes=("a", "b", "c"))


def layout_of(patients: list[tuple[str, str, str, int, int]] = PATIENTS) -> StudyLayout:
    spots = spot_table(patients)
    return StudyLayout.of(store_of(spots), select_spots(spots, "T", TASK))


def test_the_first_class_is_set_against_all_others() -> None:
    layout = layout_of()
    assert (layout.first, layout.others) == ("a", "b or c")
    assert layout.tmas == ("T1", "T2", "T3")
    assert layout.patients == ((2, 0), (0, 3), (0, 1))
    assert layout.cores == ((1, 1), (2, 0, 1, 0, 0, 1))  # eight cores count as six
    assert layout.spots_per_core == 6 and layout.control_cores == 2  # of 2 and 3: even
    assert (layout.low, layout.high, layout.n_bins) == (1380.0, 1940.0, 400)
    assert "3 TMAs with 2 patients of a and 4 of b or c" in layout.text()


def test_control_cores_on_one_tma_are_none() -> None:
    assert layout_of([one for one in PATIENTS if one[:3:2] != ("CONTROL", "T3")]).control_cores == 0


@pytest.mark.parametrize("patients", [PATIENTS[:5], [*PATIENTS[:5], ("p6", "a", "T2", 1, 6)]])
def test_the_tie_is_that_of_the_audit(patients: list[tuple[str, str, str, int, int]]) -> None:
    spots = spot_table(patients)
    task = select_spots(spots, "T", TASK)
    y = (task.y > 0).astype(int)
    column = read_column(task.group_of("tma"))
    found = associate(y, 2, unit_ids(task.spots, "patient"), column, "categorical")
    assert layout_of(patients).tie == pytest.approx(found.value)


def test_a_synthetic_cohort_has_the_layout() -> None:
    layout = layout_of()
    settings = draw_study_cohort(900_000).settings(layout.settings())
    cohort = make_cohort(settings, 3)
    patients = cohort.cores[cohort.cores["control"] == 0].drop_duplicates("patient")
    counts = patients.groupby(["tma", "organ"]).size().unstack(fill_value=0)
    assert counts.reindex(columns=["lung", "pancreas"]).to_numpy().tolist() == [
        [2, 0],
        [0, 3],
        [0, 1],
    ]
    assert cohort.cores.groupby("tma")["control"].sum().tolist() == [2, 2, 2]
    n_cores = cohort.cores.groupby(["organ", "patient"]).size()
    assert max(n_cores["lung"]) <= 2 and set(n_cores["pancreas"]) <= {1, 3, 6}
    assert cohort.axis.n_bins == 400
    assert cohort.axis.mz[[0, -1]].tolist() == pytest.approx([1380.0, 1940.0])


@pytest.mark.parametrize(
    ("cores", "spots_per_core", "cap", "radius"),
    [
        (((8,), (8,)), 5.0, 8, 1.0),  # as it is
        (((8,), (8,)), 40.0, 8, 1.5),  # 9 spots are nearest to 8
        (((8,), (8,)), 40.0, 25, 2.9),
        (((0, 8), (0, 8)), 40.0, 8, 1.0),  # two cores a patient share the eight
        (((8,), (8,)), 1.0, 8, 0.5),
    ],
)
def test_spots_of_a_patient_are_capped(
    cores: tuple[tuple[int, ...], ...], spots_per_core: float, cap: int, radius: float
) -> None:
    layout = small_fit(cores=cores, spots_per_core=spots_per_core).layout
    assert layout.core_radius(cap) == radius


def test_what_nothing_simulates_is_refused() -> None:
    spots = spot_table(PATIENTS)
    task = select_spots(spots, "T", TASK)
    with pytest.raises(AuditError, match="centroid data, and nothing here simulates"):
        StudyLayout.of(store_of(spots, data_kind="centroid"), task)
    with pytest.raises(AuditError, match="the store holds peaks"):
        StudyLayout.of(store_of(spots, recipe=[{"step": "peaks", "method": "listed"}]), task)
    with pytest.raises(AuditError, match="400 bins over m/z 700–800"):
        StudyLayout.of(store_of(spots, MzAxis.tof(700.0, 800.0, 400)), task)
    with pytest.raises(AuditError, match="control cores, so that no class has patients"):
        only = [("CONTROL1", "a", "T1", 1, 2), ("p", "b", "T2", 1, 2)]
        other = spot_table(only)
        named = Task(label="kind", classes=("a", "b"))
        StudyLayout.of(store_of(other), select_spots(other, "T", named))


def test_a_short_axis_has_fewer_peptides() -> None:
    spots = spot_table(PATIENTS)
    store = store_of(spots, MzAxis.tof(700.0, 1000.0, 300))
    settings = StudyLayout.of(store, select_spots(spots, "T", TASK)).settings()
    assert settings["spectra"]["n_peptides"] == 75
    make_cohort(draw_study_cohort(4).settings(settings), 4)


def test_draws_are_what_they_say() -> None:
    drawn = [draw_study_cohort(seed) for seed in range(2000)]
    none = [one for one in drawn if not one.families]
    assert len(none) / len(drawn) == pytest.approx(0.3, abs=0.03)
    assert all(one.amplitude == 0 for one in none)
    several = [one for one in drawn if len(one.families) == 8]
    assert all(0.05 <= one.amplitude <= 0.8 for one in several)
    # Log-uniform: half of them lie below the geometric mean.
    assert sum(one.amplitude < 0.2 for one in several) / len(several) == pytest.approx(
        0.5, abs=0.06
    )
    assert draw_study_cohort(5) == drawn[5]
    assert {one.as_dict()["family"] for one in none} == {"none"}
