"""A glance at many arrays misses nothing that looking at each of them finds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imzml_forge import Forge

from corespot.errors import Problem
from corespot.io import imzml_values
from corespot.io.imzml import check_imzml

ODD = [np.nan, np.inf, -np.inf, -1.0, -0.0, 0.0, 1e30, 100.0]
KINDS = [("<f8", "<f4"), ("<f4", "<f8"), ("<f8", "<i4"), ("<f4", "<f2")]


def problems(path: Path, block: int, *, glance: bool) -> list[Problem]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(imzml_values, "_BLOCK_BYTES", block)
        if not glance:
            patch.setattr(imzml_values, "_is_sound", lambda *_, **__: False)
        return check_imzml(path)


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    lengths=st.lists(st.integers(0, 9), min_size=1, max_size=14),
    continuous=st.booleans(),
    packed=st.booleans(),
    kinds=st.sampled_from(KINDS),
    faults=st.lists(
        st.tuples(st.integers(0, 13), st.booleans(), st.integers(0, 8), st.sampled_from(ODD)),
        max_size=3,
    ),
    cut=st.sampled_from([0, 0, 0, 4, 50]),
    block=st.sampled_from([8, 60, 300, 1 << 25]),
)
def test_problems_are_the_same(
    seed: int,
    lengths: list[int],
    continuous: bool,
    packed: bool,
    kinds: tuple[str, str],
    faults: list[tuple[int, bool, int, float]],
    cut: int,
    block: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    rng = np.random.default_rng(seed)
    if continuous:
        lengths = [max(lengths)] * len(lengths)
    made = [(np.sort(rng.integers(1, 99, k)) * 1.0, rng.integers(0, 99, k) * 1.0) for k in lengths]
    for spectrum, in_mz, at, value in faults:
        array = made[spectrum % len(made)][0 if in_mz else 1]
        if array.size:
            with np.errstate(invalid="ignore"):
                array[at % array.size] = value
    folder = tmp_path_factory.mktemp("values")
    forge = Forge(made, None, continuous, *kinds, packed, edit_ibd=lambda d: d[: len(d) - cut])
    with np.errstate(invalid="ignore", over="ignore"):
        path = forge.write(folder)
    careful = problems(path, block, glance=False)
    assert problems(path, block, glance=True) == careful
    codes = {problem.code for problem in careful}
    has_nan = any(np.isnan(mz).any() for mz, _ in (made[:1] if continuous else made))
    if has_nan and not cut:
        assert "mz-not-finite" in codes
