"""The pure half of the cohort tables: parsing, joining, locating, counting."""

from __future__ import annotations

import random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corespot.cohort.columns import cross_problems, parse_cores, parse_spots
from corespot.cohort.labels import class_counts, label_columns, lookalikes
from corespot.cohort.locate import locate_spots
from corespot.cohort.marker_table import parse_marker_table, parse_tolerance
from corespot.cohort.tables import Cohort, TextTable, join_tables
from corespot.cohort.tasks import text_of
from corespot.units import Tolerance

GRID = np.array([(x, y, 1) for y in range(1, 6) for x in range(1, 9)])


def table(name: str, columns: list[str], rows: list[list[str]]) -> TextTable:
    frame = pd.DataFrame(rows, columns=columns, index=range(2, len(rows) + 2), dtype=object)
    return TextTable(name, frame)


def build(spots: TextTable, cores: TextTable) -> Cohort:
    parsed_spots, problems = parse_spots(spots)
    parsed_cores, found = parse_cores(cores)
    problems += found + cross_problems(parsed_spots, parsed_cores)
    files = sorted(set(parsed_spots["file"]))
    spectrum, background, found = locate_spots(parsed_spots, dict.fromkeys(files, GRID))
    assert problems + found == []
    joined, ordered = join_tables(parsed_spots, parsed_cores, spectrum)
    return Cohort(joined, ordered, tuple(files), background)


def same_up_to_column_order(one: pd.DataFrame, other: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(one, other[list(one.columns)])


cell = st.sampled_from(["", "NA", "None", "nan", "tumor", "Tumor", "1", "3,5", "ß", "a b"])


@st.composite
def cohorts(draw: st.DrawFn) -> tuple[TextTable, TextTable]:
    """A faultless pair of tables with awkward labels."""
    n_cores = draw(st.integers(1, 5))
    cores = [
        [f"c{i}", f"T{draw(st.integers(1, 2))}", f"p{draw(st.integers(1, 3))}", draw(cell)]
        for i in range(n_cores)
    ]
    places = draw(
        st.lists(
            st.tuples(
                st.sampled_from(["a.imzML", "B.imzML"]), st.integers(1, 8), st.integers(1, 5)
            ),
            min_size=1,
            max_size=12,
            unique=True,
        )
    )
    spots = [
        [file, str(x), str(y), f"c{draw(st.integers(0, n_cores - 1))}", draw(cell)]
        for file, x, y in places
    ]
    return (
        table("spots.csv", ["file", "x", "y", "core", "label"], spots),
        table("cores.csv", ["core", "tma", "patient", "grade"], cores),
    )


@given(cohorts(), st.randoms(use_true_random=False))
def test_the_order_of_rows_and_columns_does_not_matter(
    tables: tuple[TextTable, TextTable], shuffle: random.Random
) -> None:
    expected = build(*tables)
    moved = []
    for one in tables:
        rows, columns = list(one.frame.index), list(one.frame.columns)
        shuffle.shuffle(rows)
        shuffle.shuffle(columns)
        frame = one.frame.loc[rows, columns]
        frame.index = range(2, len(frame) + 2)
        moved.append(TextTable(one.name, frame))
    cohort = build(*moved)
    same_up_to_column_order(expected.spots, cohort.spots)
    same_up_to_column_order(expected.cores, cohort.cores)
    assert (expected.files, expected.n_background) == (cohort.files, cohort.n_background)


@given(cohorts())
def test_the_spot_table_is_in_canonical_order_and_keeps_every_cell(
    tables: tuple[TextTable, TextTable],
) -> None:
    spots = build(*tables).spots
    keys = list(zip(spots["file"], spots["spectrum"], strict=True))
    assert keys == sorted(keys)
    assert list(spots.columns[:7]) == ["file", "spectrum", "x", "y", "core", "tma", "patient"]
    for dtype_of in ("spectrum", "x", "y"):
        assert spots[dtype_of].dtype == np.int64
    places = GRID[spots["spectrum"].to_numpy(), :2]
    assert np.array_equal(places, spots[["x", "y"]].to_numpy())
    assert sorted(spots["label"]) == sorted(tables[0].frame["label"])
    assert not spots.isna().any().any()


def test_background_is_what_no_row_names() -> None:
    spots = table(
        "spots.csv", ["file", "x", "y", "core"], [["f", "1", "1", "a"], ["f", "2", "1", "a"]]
    )
    parsed, _ = parse_spots(spots)
    _, background, problems = locate_spots(parsed, {"f": GRID, "g": GRID})
    assert problems == []
    assert background == {"f": len(GRID) - 2, "g": len(GRID)}


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("12", 12),
        ("12.0", 12),
        ("12.", 12),
        ("+3", 3),
        ("-3", -3),
        ("0", 0),
        ("012", 12),
        ("1e3", None),
        ("12.5", None),
        ("12,0", None),
        ("", None),
        ("nan", None),
        ("١٢", None),
        ("1_000", None),
        ("12345678901", None),
    ],
)
def test_coordinates_are_whole_numbers(cell: str, value: int | None) -> None:
    spots = table("spots.csv", ["file", "x", "y", "core"], [["f", cell, "1", "a"]])
    parsed, problems = parse_spots(spots)
    assert parsed["x"].tolist() == [value]
    assert bool(problems) == (value is None)


@pytest.mark.parametrize(
    ("cell", "value"),
    [("1", "1"), ("1.0", "1"), ("TRUE", "1"), ("false", "0"), ("tumour", "tumour"), ("", "")],
)
def test_roi_is_read_as_written_by_any_program(cell: str, value: str) -> None:
    spots = table("spots.csv", ["file", "x", "y", "core", "roi"], [["f", "1", "1", "a", cell]])
    assert parse_spots(spots)[0]["roi"].tolist() == [value]


def test_long_lists_of_rows_and_cores_are_cut() -> None:
    spots = table(
        "spots.csv", ["file", "x", "y", "core"], [["f", str(x), "1", "zzz"] for x in range(1, 9)]
    )
    cores = table("cores.csv", ["core", "tma", "patient"], [[f"c{i}", "T", "p"] for i in range(9)])
    (problem,) = cross_problems(parse_spots(spots)[0], parse_cores(cores)[0])
    assert problem.where == "spots.csv, rows 2, 3, 4, 5, 6 and 3 more"
    assert problem.remedy.endswith("known: c0, c1, c2, c3, c4 and 4 more")


@pytest.mark.parametrize(
    ("text", "tolerance"),
    [
        ("0.3 Da", Tolerance(0.3, "da")),
        ("200 ppm", Tolerance(200, "ppm")),
        ("200ppm", Tolerance(200, "ppm")),
        ("5 PPM", Tolerance(5, "ppm")),
        ("0.25", Tolerance(0.25, "da")),
        ("", Tolerance(0.3, "da")),
        ("0,3 Da", None),
        ("-1 Da", None),
        ("0", None),
        ("ppm", None),
        ("nan Da", None),
        ("inf", None),
        ("1e999", None),
        ("3 mDa", None),
    ],
)
def test_a_tolerance_carries_its_unit(text: str, tolerance: Tolerance | None) -> None:
    assert parse_tolerance(text) == tolerance


def test_markers_keep_their_tolerance_as_text() -> None:
    rows = [["CK7", "1406.6", "0.3"], ["CK15", "1.8218e3", "200 ppm"], ["CK15", "1877.8", ""]]
    markers, problems = parse_marker_table(table("markers.csv", ["name", "m/z", "tolerance"], rows))
    assert problems == []
    assert markers["name"].tolist() == ["CK7", "CK15", "CK15"]
    assert markers["mz"].tolist() == [1406.6, 1821.8, 1877.8]
    assert markers["tolerance"].tolist() == ["0.3 Da", "200 ppm", "0.3 Da"]


def test_label_columns_hold_two_to_eight_values() -> None:
    spots = pd.DataFrame(
        {
            "file": ["a", "b"] * 5,
            "roi": ["0", "1"] * 5,
            "two": ["x", "y"] * 5,
            "one": ["x", ""] * 5,
            "nine": [str(i) for i in range(9)] + [""],
            "eight": [str(i % 8) for i in range(10)],
        }
    )
    assert label_columns(spots) == ["two", "eight"]


def test_class_counts_add_up_and_keep_the_order_of_classes() -> None:
    spots = pd.DataFrame(
        {
            "tma": ["T1", "T1", "T2", "T3"],
            "core": ["a", "a", "b", "c"],
            "patient": ["p", "p", "p", "q"],
            "label": ["x", "y", "y", ""],
        }
    )
    counts = class_counts(spots, "label", ("y", "x"), np.ones(4, dtype=bool))
    assert counts["spots_per_tma"] == {
        "T1": {"y": 1, "x": 1},
        "T2": {"y": 1, "x": 0},
        "T3": {"y": 0, "x": 0},
    }
    assert list(counts["spots_per_tma"]["T1"]) == ["y", "x"]
    assert counts["in_all"] == {
        "spots": {"y": 2, "x": 1},
        "cores": {"y": 2, "x": 1},
        "patients": {"y": 1, "x": 1},
    }


def test_lookalikes_differ_in_case_or_spaces_only() -> None:
    frame = pd.DataFrame({"label": ["tumor", "Tumor", "tu mor", "stroma", ""]})
    (note,) = lookalikes(frame, ["label"])
    assert "'Tumor' and 'tu mor' and 'tumor'" in note


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((None, ""), (np.nan, ""), (pd.NA, ""), ("", ""), ("NA", "NA"), (np.str_("a"), "a")),
        *((1.0, "1"), (np.float32(2), "2"), (1.5, "1.5"), (7, "7"), (np.int64(7), "7")),
        *((True, "1"), (np.False_, "0")),
    ],
)
def test_values_are_compared_as_text(value: object, text: str) -> None:
    assert text_of(value) == text and type(text_of(value)) is str
