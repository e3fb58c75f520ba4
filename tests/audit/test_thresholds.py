"""Lines of a model: its own, or those of a stand-in, and never silently."""

from __future__ import annotations

from pathlib import Path

import pytest

from corespot.audit.calibration.lines import (
    FEWEST_CLEAN,
    LOWEST,
    calibration,
    error_rates,
    lines_from,
    share_interval,
    thresholds_of,
    write_calibration,
)
from corespot.audit.calibration.record import Record
from corespot.audit.calibration.thresholds import LINES, Calibration
from corespot.audit.verdict.readings import Readings
from corespot.audit.verdict.verdict import score
from corespot.errors import AuditError, ModelError
from corespot.models.registry import names


def record(
    share: float, *, drop: float = 0.0, tie: float = 0.9, seed: int = 0, model: str = "conv1d"
) -> Record:
    readings = Readings({"V": tie, "artifact_share": share, "balanced_accuracy": 0.9})
    return Record(seed, {"seed": seed}, model, 0.9, drop, readings)


CLEAN = [record(0.01 * at, seed=at) for at in range(40)]


def test_every_registered_model_has_lines_in_the_shipped_calibration():
    shipped = Calibration.shipped()
    for name in names():
        found = shipped.of(name)
        assert found.is_own == (found.calibrated_on == name)
        assert set(found.lines) == set(LINES) and min(found.lines.values()) > 0
        assert found.as_dict()["source"].startswith("calibration.json")
    with pytest.raises(ModelError):
        shipped.of("conv1")


def test_a_model_without_lines_is_given_those_of_its_kind(tmp_path: Path):
    both = CLEAN + [record(0.3, seed=at, model="logistic") for at in range(40)]
    content = calibration(both, command="a command", date="today")
    write_calibration(tmp_path / "a" / "c.json", content)
    found = Calibration.read(tmp_path / "a" / "c.json")
    assert (found.of("conv1d").is_own, found.of("conv1d").calibrated_on) == (True, "conv1d")
    assert (found.of("isotopenet").is_own, found.of("isotopenet").calibrated_on) == (
        False,
        "conv1d",
    )
    assert found.of("roc_lda").calibrated_on == "logistic"
    assert found.of("roc_lda").lines["artifact_share"] == pytest.approx(0.3)
    assert found.source == "c.json: a command"


def test_a_kind_without_stand_in_is_refused(tmp_path: Path):
    write_calibration(tmp_path / "c.json", calibration(CLEAN, command="x", date="y"))
    with pytest.raises(AuditError, match="no lines for roc_lda"):
        Calibration.read(tmp_path / "c.json").of("roc_lda")


DAMAGED = [
    '{"format_version": 1}',
    '{"format_version": 1, "made": {"command": "x"}, "models": [], "stands_for": {}}',
    '{"format_version": 1, "made": {"command": "x"}, "models": {"m": {}}, "stands_for": {}}',
    '{"format_version": 1, "made": {"command": "x"}, "stands_for": {}, "models": {"m": '
    '{"n_clean": 30, "lines": {"artifact_share": NaN, "non_peptide": 1, "control_share": 1}}}}',
    '{"format_version": 1, "made": {"command": "x"}, "stands_for": {}, "models": {"m": '
    '{"n_clean": 30, "lines": {"artifact_share": 0, "non_peptide": 1, "control_share": 1}}}}',
]


@pytest.mark.parametrize("text", [None, "[]", '{"format_version": 0}', *DAMAGED])
def test_what_is_no_calibration_is_told(tmp_path: Path, text: str | None):
    path = tmp_path / "c.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(AuditError, match="corespot audit calibrate"):
        Calibration.read(path)


def test_at_most_one_clean_model_in_twenty_is_above_a_line():
    lines = lines_from(CLEAN)
    over = [score(one.readings, thresholds_of(lines)) > 1 for one in CLEAN]
    assert sum(over) <= 2 and lines["artifact_share"] <= 0.39
    assert lines["non_peptide"] >= LOWEST["non_peptide"]


def test_only_clean_models_whose_class_goes_with_the_tma_draw_lines():
    others = [record(9.0, drop=0.3), record(9.0, drop=0.07), record(9.0, tie=0.1)] * 20
    assert lines_from(CLEAN + others) == lines_from(CLEAN)
    with pytest.raises(AuditError, match=f"at least {FEWEST_CLEAN}"):
        lines_from(CLEAN[: FEWEST_CLEAN - 1] + others)


def test_clean_models_without_artifacts_leave_the_lowest_line():
    assert lines_from([record(-0.5)] * 30)["artifact_share"] == LOWEST["artifact_share"]


def test_error_rates_count_reliant_models_by_verdict():
    records = [
        *[record(0.5, drop=0.4)] * 9,
        record(0.5, drop=0.0),
        record(0.5, drop=0.07),
        *[record(0.0)] * 5,
    ]
    rates = error_rates(records, thresholds_of({**LOWEST}))
    assert (rates["confounded"]["n"], rates["confounded"]["reliant"]) == (10, 0.9)
    assert (rates["not_excluded"]["n"], rates["not_excluded"]["reliant"]) == (5, 0.0)
    assert "suspect" not in rates


def test_the_interval_is_wilsons():
    low, high = share_interval(9, 10)
    z, n, p = 1.959964, 10, 0.9
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * ((p * (1 - p) + z**2 / (4 * n)) / n) ** 0.5 / (1 + z**2 / n)
    assert (low, high) == (pytest.approx(centre - half), pytest.approx(centre + half))
