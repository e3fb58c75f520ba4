"""Lines drawn from records of which all is known, and what is kept when a run is interrupted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from studies import made_up, small_fit

from corespot.audit.calibration import study_run
from corespot.audit.calibration.lines import LOWEST, write_calibration
from corespot.audit.calibration.record import Record, append_records, read_records
from corespot.audit.calibration.study_calibration import (
    study_calibration,
    summary_rows,
    verdict_rows,
)
from corespot.audit.calibration.study_fits import (
    Job,
    StudyFit,
    known_records,
    missing_jobs,
    simulate,
)
from corespot.audit.calibration.study_run import run_jobs
from corespot.audit.calibration.thresholds import Calibration
from corespot.errors import AuditError, FoldError

FIT = small_fit()
MADE = {"command": "corespot audit calibrate", "date": "2026-01-01"}


def clean(fit: StudyFit, shares: Sequence[float], first: int = 0) -> list[Record]:
    return [made_up(fit, first + n, 0.0, share) for n, share in enumerate(shares)]


def content_of(records: Sequence[Record], *fits: StudyFit) -> dict[str, object]:
    return study_calibration(records, fits or (FIT,), **MADE)


def lines_of(content: dict[str, object], task: str = "T", model: str = "logistic") -> object:
    return content["tasks"][task]["models"][model]["lines"]


def test_a_line_is_the_95th_percentile_of_clean_fits() -> None:
    shares = np.linspace(0.01, 0.41, 41)
    records = clean(FIT, shares.tolist())
    # Reliant fits, those in between and those on untied cohorts change nothing.
    records += [made_up(FIT, 100 + n, 0.3, 0.9) for n in range(10)]
    records += [made_up(FIT, 200 + n, 0.07, 0.9) for n in range(10)]
    records += [made_up(FIT, 300 + n, 0.0, 0.9, V=0.1) for n in range(10)]
    content = content_of(records)
    assert lines_of(content) == {
        "artifact_share": pytest.approx(0.39),
        "non_peptide": LOWEST["non_peptide"],
        "control_share": LOWEST["control_share"],
    }
    (row,) = summary_rows(content, [FIT], records)
    assert (row["clean"], row["reliant"]) == (41, 10)
    assert row["found"] == "1.00" and row["false alarms"] == "0.05"  # .40 and .41 of 41
    confounded = next(r for r in verdict_rows(content, [FIT]) if r["verdict"] == "confounded")
    assert confounded["fits"] == 12 and str(confounded["truly reliant"]).startswith("0.83 (0.55")


def test_lines_are_raised_together_until_one_clean_fit_in_twenty_is_above_any() -> None:
    """Each alone would let other fits through: 2 of 40 by one indicator, 2 more by the other."""
    records = clean(FIT, [0.1] * 38 + [0.4, 0.4])
    records += [made_up(FIT, 100 + n, 0.0, 0.1, non_peptide=0.3) for n in range(2)]
    lines = lines_of(content_of(records))
    share, other = lines["artifact_share"], lines["non_peptide"]
    values = [0.1] * 38 + [0.4] * 2 + [0.1] * 2, [0.0] * 40 + [0.3] * 2
    alone = [max(np.quantile(v, 0.95), 0.05) for v in values]
    over = np.maximum(np.array(values[0]) / alone[0], np.array(values[1]) / alone[1])
    factor = np.quantile(over, 0.95, method="higher")
    assert factor > 1
    assert share == pytest.approx(alone[0] * factor, abs=1e-4)
    assert other == pytest.approx(alone[1] * factor, abs=1e-4)
    above = [a > share or b > other for a, b in zip(*values, strict=True)]
    assert sum(above) <= 0.05 * len(above)


def test_too_few_clean_fits_say_how_many_cohorts_more() -> None:
    records = clean(FIT, [0.1] * 8) + [made_up(FIT, 50 + n, 0.3, 0.9) for n in range(8)]
    with pytest.raises(
        AuditError, match=r"T logistic: 8 clean fits of 16 cohorts.*about 24 more .*--cohorts 40"
    ):
        content_of(records)
    with pytest.raises(AuditError, match=r"0 clean fits of 8 cohorts.*hardly any fit is free"):
        content_of(records[8:])
    content_of(clean(FIT, [0.1] * 20))


def test_every_task_has_lines_of_its_own(tmp_path: Path) -> None:
    other = small_fit("U", patients=((3, 0), (3, 0), (0, 3), (0, 3)))
    lda = small_fit("U", "roc_lda", patients=((3, 0), (3, 0), (0, 3), (0, 3)))
    records = clean(FIT, [0.2] * 20) + clean(other, [0.4] * 20) + clean(lda, [0.3] * 20)
    content = content_of(records, FIT, other, lda)
    assert content["made"]["seeds"] == [0, 19]
    assert content["tasks"]["U"]["layout"]["V"] == pytest.approx(other.layout.tie)
    write_calibration(tmp_path / "c.json", content)
    read = Calibration.read(tmp_path / "c.json")
    assert read.of("logistic", "T").lines["artifact_share"] == 0.2
    assert read.of("logistic", "U").lines["artifact_share"] == 0.4
    assert read.of("logistic").lines["artifact_share"] == 0.4  # of all tasks together
    assert read.of("logistic", "another").lines["artifact_share"] == 0.4
    # A model's own lines on other tasks come before those of another model.
    assert read.of("roc_lda", "T").lines["artifact_share"] == 0.3
    assert read.of("roc_lda", "T").is_own
    with pytest.raises(AuditError, match="no lines for conv1d"):
        read.of("conv1d", "U")


def test_a_model_of_the_same_kind_stands_in_by_task() -> None:
    lines = dict.fromkeys(("artifact_share", "non_peptide", "control_share"), 0.1)
    own = {"models": {"isotopenet": {"lines": {**lines, "artifact_share": 0.3}, "n_clean": 30}}}
    read = Calibration(
        {"conv1d": {"lines": lines, "n_clean": 40}},
        {"network": "conv1d"},
        "c",
        {"T": {**own, "stands_for": {"network": "isotopenet"}}},
    )
    found = read.of("dilated", "T")
    assert found.calibrated_on == "isotopenet" and not found.is_own
    assert read.of("dilated", "U").calibrated_on == "conv1d"
    assert read.of("conv1d", "T").calibrated_on == "conv1d"


def test_what_is_there_is_not_simulated_again(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    append_records(path, clean(FIT, [0.1, 0.2, 0.3], first=10))
    with path.open("a") as file:
        file.write('{"cohort": {"seed": 1')  # an interruption
    known = known_records(path, [FIT])
    assert [job.seed for job in missing_jobs([FIT], known, range(10, 15))] == [13, 14]
    append_records(path, clean(FIT, [0.4], first=13))
    assert [one.seed for one in read_records(path)] == [10, 11, 12, 13]
    # Other settings, another layout: nothing of it counts.
    changed = replace(FIT, settings={"C": 3.0})
    assert known_records(path, [changed, small_fit(n_bins=500)]) == []
    renamed = small_fit(tmas=("A", "B", "C", "D"))
    assert len(known_records(path, [renamed])) == 4


def test_models_share_cohorts_where_they_can() -> None:
    fits = [FIT, small_fit(model="roc_lda"), small_fit(model="conv3d"), small_fit("U")]
    jobs = missing_jobs(fits, clean(FIT, [0.1]), [0, 1])
    assert [[(fit.task, fit.model) for fit in job.fits] for job in jobs] == [
        [("T", "roc_lda")],
        [("T", "conv3d")],
        [("U", "logistic")],
        [("T", "logistic"), ("T", "roc_lda")],
        [("T", "conv3d")],
        [("U", "logistic")],
    ]


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text('{"cohort": {}}\n')
    with pytest.raises(AuditError, match="holds a line that is no record"):
        known_records(path, [FIT])


def test_cohorts_that_fail_are_told_and_the_others_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails_on_odd(job: Job) -> list[Record]:
        if job.seed % 2:
            raise FoldError("no folds")
        return clean(FIT, [0.1], first=job.seed)

    monkeypatch.setattr(study_run, "simulate", fails_on_odd)
    path = tmp_path / "c.jsonl"
    seconds: list[float] = []
    jobs = missing_jobs([FIT], [], range(4))
    made, failures = run_jobs(jobs, path, workers=1, on_first=seconds.append)
    assert [one.seed for one in made] == [one.seed for one in read_records(path)] == [0, 2]
    assert failures == ["cohort 1: no folds", "cohort 3: no folds"] and len(seconds) == 1
    with pytest.raises(AuditError, match="none of 2 cohorts could be simulated: cohort 1"):
        run_jobs([jobs[1], jobs[3]], path, workers=1)


def test_a_process_finds_what_this_one_finds(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    (job,) = missing_jobs([FIT], [], [3])
    (here,) = simulate(job)
    (there,), failures = run_jobs([job], path, workers=2)
    assert not failures
    assert there.line() == here.line() == read_records(path)[0].line()
    assert here.readings.number("V") == pytest.approx(FIT.layout.tie)
    assert here.cohort["task"] == "T" and here.cohort["seed"] == 3


def test_models_that_look_at_neighbours_are_told_where_spots_lie() -> None:
    fit = replace(
        small_fit(model="conv3d", spots_per_core=9.0),
        settings={"epochs": 1, "n_peaks": 8},
        patient_folds=2,
    )
    (record,) = simulate(Job(5, (fit,)))
    assert record.model == "conv3d" and 0 <= record.balanced_accuracy <= 1
    assert record.readings.number("artifact_share") is not None
