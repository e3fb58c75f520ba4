"""A small version of the benchmark: it fails if the audit comes to tell less than it did.

Cohorts of seeds on which lines were tuned, none of those on which they are tested.
"""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from corespot.audit.applicable import NotApplicable
from corespot.audit.calibration import simulated_cohort
from corespot.audit.calibration.record import Record, append_records, read_records
from corespot.audit.calibration.thresholds import Calibration
from corespot.audit.verdict.readings import Readings
from corespot.audit.verdict.sentence import limitation
from corespot.audit.verdict.verdict import Verdict, judge
from corespot.synth.cohort import SynthSettings

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "audit" / "cohorts.py"
QUICK: dict[str, dict[str, Any]] = {
    "conv1d": {"epochs": 8, "batch_size": 16, "learning_rate": 0.001},
    "roc_lda": {},
    "logistic": {},
}
RELIANT = (100_001, 100_009)
CLEAN = (100_007, 100_017)


def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit_cohorts", BENCHMARK)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def simulated(settings: SynthSettings, seed: int, *models: str) -> dict[str, Record]:
    """Records by model; the fit with patients held out, half of the cost, is left out."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            simulated_cohort, "regrouped_scores", lambda *_, **__: NotApplicable("left out")
        )
        found = simulated_cohort.audit_simulated(settings, seed, {m: QUICK[m] for m in models})
    return {name: one.record({"seed": seed}, seed) for name, one in found.items()}


@cache
def of_seed(seed: int) -> dict[str, Record]:
    cohort = benchmark().draw_cohort(seed)
    assert cohort.design == "nested"
    return simulated(cohort.whole_settings(), seed, "conv1d", "roc_lda")


@cache
def of_family(family: str, model: str) -> Record:
    cohort = benchmark().Cohort(
        seed=7,
        design="nested",
        families=(family,),
        amplitude=3.0,
        rho=0.8,
        n_markers=5,
        largest_log_fold=0.6,
        patients_per_tma=6,
    )
    return simulated(cohort.whole_settings(), 100_300, model)[model]


def verdict(record: Record, **changes: Any) -> tuple[Verdict, Readings]:
    readings = Readings({**record.readings.values, **changes})
    return judge(readings, Calibration.shipped().of(record.model)), readings


@pytest.mark.slow
@pytest.mark.parametrize("model", ["conv1d", "roc_lda"])
def test_models_that_fall_have_more_artifact_share_than_all_that_do_not(model: str):
    reliant, clean = ([of_seed(seed)[model] for seed in seeds] for seeds in (RELIANT, CLEAN))
    assert {one.truth for one in reliant} == {"reliant"}
    assert {one.truth for one in clean} == {"clean"}
    shares = [
        [one.readings.number("artifact_share") or 0.0 for one in records]
        for records in (reliant, clean)
    ]
    assert min(shares[0]) > 0.15 > 0.1 > max(shares[1])
    assert {verdict(one)[0].word for one in reliant} == {"confounded"}
    assert {verdict(one)[0].word for one in clean} <= {"not_excluded", "suspect"}


@pytest.mark.slow
def test_matrix_clusters_are_found_by_their_masses():
    record = of_family("matrix", "logistic")
    assert record.truth == "reliant" and record.drop > 0.15
    found, _ = verdict(record, control_share=NotApplicable("none"))
    assert found.word == "confounded"
    assert "non_peptide" in {one.indicator for one in found.findings}


@pytest.mark.slow
def test_digestion_is_seen_by_control_cores_alone():
    record = of_family("digestion", "roc_lda")
    assert record.truth == "reliant" and record.drop > 0.3
    found, readings = verdict(record)
    assert found.word == "confounded"
    assert [one.indicator for one in found.findings] == ["control_share"]
    assert "Control cores were looked at" in limitation(found, readings, nested=True)
    none = NotApplicable("no control cores")
    blind, readings = verdict(record, control_share=none, control_p=none)
    assert blind.word in ("not_excluded", "suspect")
    assert "digestion" in limitation(blind, readings, nested=True)
    assert "control cores of one tissue" in limitation(blind, readings, nested=True)


def test_records_are_read_back_and_half_a_line_is_dropped(tmp_path: Path):
    readings = Readings({"V": 0.9, "leakage": NotApplicable("left out")})
    records = [Record(seed, {"seed": seed}, "m", 0.9, 0.02, readings) for seed in (1, 2)]
    path = tmp_path / "a" / "x.jsonl"
    append_records(path, records[:1])
    with path.open("a") as file:
        file.write(records[1].line()[:20])
    assert [one.seed for one in read_records(path)] == [1]
    append_records(path, records[1:])
    found = read_records(path)
    assert [one.seed for one in found] == [1, 2]
    assert found[1].readings == readings and found[1].line() == records[1].line()


@pytest.mark.parametrize(
    ("drop", "truth"), [(0.1, "reliant"), (0.099, "between"), (0.05, "between"), (0.049, "clean")]
)
def test_truth_is_what_is_lost(drop: float, truth: str):
    assert Record(1, {}, "m", 0.9, drop, Readings({})).truth == truth
