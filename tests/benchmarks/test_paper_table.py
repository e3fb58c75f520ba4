"""The published table can be trained at a tiny size, goes on where it was, and says what it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from benchmarks.training.bandwidth import least_bytes
from benchmarks.training.paper_cohort import TASKS, make_spectra
from benchmarks.training.plain_networks import NETWORKS

from benchmarks import paper_table

TINY = ["--n-bins", "120", "--spots", "48", "--fraction", "0.01", "--fits", "1", "--device", "cpu"]


def test_the_peer_has_the_published_parameters() -> None:
    expected = {"isotopenet": 13_935, "residualnet": 2_132_130}
    for name, network in NETWORKS.items():
        with torch.device("meta"):
            made = network(27_286)
        assert sum(p.numel() for p in made.parameters()) == expected[name], name


def test_tasks_have_the_published_layout() -> None:
    adsq, lp = TASKS
    assert (adsq.n_spots, lp.n_spots) == (4_672, 27_475)
    assert len(set(adsq.tmas[0]) | set(adsq.tmas[1])) == 8
    assert len(set(lp.tmas[0]) | set(lp.tmas[1])) == 12
    made = make_spectra(lp, n_bins=40, n_spots=96, repeats=2, n_folds=4, seed=0)
    assert [len(folds) for folds in made.folds] == [4, 4]
    for train, test in (fold for folds in made.folds for fold in folds):
        assert not set(made.tma[train]) & set(made.tma[test])
        assert set(made.y[train]) == set(made.y[test]) == {0, 1}
    assert not set(made.tma[made.y == 0]) & set(made.tma[made.y == 1])


def test_the_floor_of_a_small_step_by_hand() -> None:
    # Blocks 1->8 s1, 8->8 s5, 8->8 s1, 8->1 s3 on 15 bins: lengths 15, 15, 3, 3, 1; one spectrum.
    forward = (3 * 15 + 120) + (3 * 120 + 24) + (3 * 24 + 24) + (3 * 24 + 1)
    backward = 3 * (15 + 120) + 3 * (120 + 24) + 120 + 3 * 48 + 24 + 3 * 25 + 24
    found = least_bytes("isotopenet", 15, 1, 10, stored=4, held=4)
    assert found == 4 * (forward + backward) + 280


def test_a_tiny_table_is_trained_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "table.json"
    extra = ["--peer", "--peer-workers", "0", "--out", str(out)]
    record = paper_table.main([*TINY, *extra])
    printed = capsys.readouterr().out
    for expected in ("ADSQ/isotopenet", "LP/residualnet", "in all", "Extrapolated", "Synthetic"):
        assert expected in printed
    assert "3 of 300 epochs, 1 of 16 fits" in printed
    assert len(record["fits"]) == 4
    assert set(record["peer"]) == {cell.name for cell in paper_table.CELLS}
    for cell in record["cells"]:
        assert cell["minutes"] > 0
        assert cell["times_floor"] > 0
        assert cell["ratio"] == pytest.approx(cell["peer_minutes"] / cell["minutes"])
    # One fit is lost, all others are kept.
    kept = json.loads(out.read_text(encoding="utf-8"))
    del kept["fits"]["LP/residualnet/repeat0-fold0"]
    out.write_text(json.dumps(kept), encoding="utf-8")
    fitted: list[str] = []
    fit = paper_table._fit
    monkeypatch.setattr(
        paper_table, "_fit", lambda cell, *rest: (fitted.append(cell.name), fit(cell, *rest))[1]
    )
    again = paper_table.main([*TINY, *extra])
    assert fitted == ["LP/residualnet"]
    for key, value in kept["fits"].items():
        assert again["fits"][key] == value
    with pytest.raises(SystemExit, match="recorded otherwise"):
        paper_table.main([*TINY, "--seed", "2", *extra])


def test_extrapolation_adds_the_median_epoch() -> None:
    assert paper_table._whole([5.0, 1.0, 1.0, 2.0], 10) == 9.0 + 6 * 1.0
    assert paper_table._whole([2.0], 3) == 6.0
    assert paper_table._whole([5.0, 1.0], 2) == 6.0


def test_a_share_of_nothing_is_refused() -> None:
    with pytest.raises(SystemExit):
        paper_table.arguments(["--fraction", "0"])
