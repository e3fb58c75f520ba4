"""Arrays read together are those that are read one by one, wherever in the .ibd they lie."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_imzml_blocks import WAYS

from corespot.errors import CohortError
from corespot.io.imzml_ibd import IbdReader
from corespot.io.imzml_ibd_runs import find_runs
from corespot.io.imzml_index import ArrayIndex
from corespot.io.imzml_terms import DTYPES

SIZE = 3000
FLOAT32, FLOAT64 = 0, 1


@st.composite
def indices(draw: st.DrawFn, code: int | None = None) -> ArrayIndex:
    """Places anywhere in the file: overlapping, empty, behind each other, the same again."""
    code = draw(st.sampled_from(range(len(DTYPES)))) if code is None else code
    itemsize, at, rows = DTYPES[code].itemsize, 0, []
    for _ in range(draw(st.integers(1, 25))):
        length = draw(st.integers(0, 40))
        most = SIZE - length * itemsize
        goes_on = draw(st.booleans()) and at <= most
        offset = at if goes_on else draw(st.integers(0, most))
        rows.append((offset, length))
        at = offset + length * itemsize
    offset, length = np.array(rows, dtype=np.int64).T
    n = len(offset)
    return ArrayIndex(
        offset, length, length * itemsize, np.full(n, code, np.int8), np.zeros(n, bool)
    )


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ibd") / "m.ibd"
    path.write_bytes(np.random.default_rng(0).bytes(SIZE))
    return path


@pytest.fixture(params=WAYS, ids=lambda way: way.__name__)
def reader(
    request: pytest.FixtureRequest, file: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[IbdReader]:
    way: Callable[[pytest.MonkeyPatch], None] = request.param
    way(monkeypatch)
    opened = IbdReader(file)
    yield opened
    opened.close()


def one_by_one(file: Path, arrays: ArrayIndex, i: int) -> bytes:
    data = file.read_bytes()
    return data[arrays.offset[i] : arrays.offset[i] + arrays.encoded[i]]


def test_many_arrays_of_two_kinds(reader: IbdReader, file: Path) -> None:
    @settings(max_examples=60, deadline=None)
    @given(indices(), indices(FLOAT64), st.data())
    def check(intensity: ArrayIndex, mz: ArrayIndex, data: st.DataObject) -> None:
        n = min(len(intensity.offset), len(mz.offset))
        order = np.array(data.draw(st.lists(st.integers(0, n - 1), max_size=40)), dtype=np.int64)
        wanted = []
        for arrays in (intensity, mz):
            room = reader.many(arrays, order)
            assert room is not None
            wanted.append((arrays, *room))
        reader.fill(wanted, order, "m.imzML")
        for arrays, values, bounds in wanted:
            assert values.size == bounds[-1]
            for k, i in enumerate(order):
                found = values[bounds[k] : bounds[k + 1]]
                assert found.tobytes() == one_by_one(file, arrays, i)
                assert found.tobytes() == reader.array(arrays, i, "m.imzML").tobytes()

    check()


def test_rows(reader: IbdReader, file: Path) -> None:
    @settings(max_examples=40, deadline=None)
    @given(indices(FLOAT32), st.integers(0, 30), st.data())
    def check(arrays: ArrayIndex, length: int, data: st.DataObject) -> None:
        same = ArrayIndex(
            np.minimum(arrays.offset, SIZE - 4 * length),
            np.full_like(arrays.length, length),
            np.full_like(arrays.length, 4 * length),
            arrays.dtype,
            arrays.compressed,
        )
        places = st.integers(0, len(same.offset) - 1)
        order = np.array(data.draw(st.lists(places, min_size=1, max_size=40)))
        block = reader.rows(same, order, "m.imzML")
        assert block.shape == (order.size, length)
        for row, i in zip(block, order, strict=True):
            assert row.tobytes() == one_by_one(file, same, i)

    check()


def test_an_array_beyond_the_end_is_named(reader: IbdReader) -> None:
    offset = np.array([SIZE - 8, 100, SIZE - 12, 200])
    four = np.full(4, 4)
    arrays = ArrayIndex(offset, four, 4 * four, np.zeros(4, np.int8), np.zeros(4, bool))
    for order in ([0], [1, 0, 3], [3, 2, 1]):
        with pytest.raises(CohortError, match=r"truncated-ibd.*ended [48] bytes before"):
            reader.rows(arrays, np.array(order), "m.imzML")
    assert reader.rows(arrays, np.array([1, 3]), "m.imzML").shape == (2, 4)


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 9)), max_size=30),
    st.integers(1, 40),
    st.integers(1, 5),
    st.integers(0, 9),
)
def test_runs_hold_every_piece_once(
    pieces: list[tuple[int, int]], most_bytes: int, most_places: int, n_shares: int
) -> None:
    offset, n_bytes = np.array(pieces, dtype=np.int64).reshape(-1, 2).T.copy()
    address = 100 * np.arange(len(pieces)) + 7
    runs = find_runs(offset, n_bytes, address, [], most_bytes=most_bytes, most_places=most_places)
    found = []
    for k in range(len(runs)):
        places = runs.places[runs.bounds[k] : runs.bounds[k + 1]]
        starts = runs.offset[k] + np.cumsum(places[:, 1]) - places[:, 1]
        found += zip(starts.tolist(), places[:, 1].tolist(), places[:, 0].tolist(), strict=True)
        assert runs.n_bytes[k] == places[:, 1].sum()
        assert runs.n_bytes[k] - places[-1, 1] < most_bytes
        assert 1 <= len(places) <= most_places
    expected = zip(offset.tolist(), n_bytes.tolist(), address.tolist(), strict=True)
    assert sorted(found) == sorted(piece for piece in expected if piece[1])
    assert np.all(np.diff(runs.offset) >= 0)

    shares = runs.shares(n_shares)
    assert len(shares) <= max(1, n_shares)
    assert [k for first, stop in shares for k in range(first, stop)] == list(range(len(runs)))
