"""Train, audit and break models on fresh synthetic cohorts; one JSON line a cohort and model.

    python benchmarks/audit/measure.py tuning --cohorts 120 --out data/audit-benchmark

Cohorts that are in the file already are left as they are, so that the run can be stopped and gone
on with; ``--workers`` runs several at a time.
"""

from __future__ import annotations

import argparse
import multiprocessing
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cohorts import FIRST_SEED, Cohort, cohorts

from corespot.audit.calibration.record import Record, append_records, read_records
from corespot.audit.calibration.simulated_cohort import audit_simulated
from corespot.progress import track

#: Settings by which the models reach their accuracy on cohorts of this size within seconds.
MODELS: dict[str, dict[str, Any]] = {
    "conv1d": {"epochs": 8, "batch_size": 16, "learning_rate": 0.001},
    "logistic": {},
    "roc_lda": {},
    "isotopenet": {"epochs": 6, "batch_size": 16, "learning_rate": 0.005},
}
#: Models of every cohort; the others are slower and are asked for by name.
USUAL = ("conv1d", "logistic", "roc_lda")


def measure(cohort: Cohort, models: Iterable[str]) -> list[Record]:
    """One record a model: what is true, and everything the audit measured."""
    warnings.simplefilter("ignore")
    found = audit_simulated(
        cohort.whole_settings(), cohort.seed, {name: MODELS[name] for name in models}
    )
    return [one.record(cohort.as_dict(), cohort.seed) for one in found.values()]


def _job(job: tuple[Cohort, tuple[str, ...]]) -> list[Record]:
    return measure(*job)


def main() -> None:
    """Measure what is not measured yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=list(FIRST_SEED))
    parser.add_argument("--cohorts", type=int, default=200)
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(USUAL))
    parser.add_argument("--design", help="only cohorts of this design")
    parser.add_argument("--workers", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("--out", type=Path, default=Path("data/audit-benchmark"))
    wanted = parser.parse_args()
    path = wanted.out / f"{wanted.part}.jsonl"
    known = {(one.seed, one.model) for one in read_records(path)}
    jobs = [
        (cohort, tuple(name for name in wanted.models if (cohort.seed, name) not in known))
        for cohort in cohorts(wanted.part, wanted.cohorts)
        if wanted.design in (None, cohort.design)
    ]
    jobs = [job for job in jobs if job[1]]
    with multiprocessing.get_context("spawn").Pool(wanted.workers) as pool:
        done = pool.imap_unordered(_job, jobs)
        for records in track(done, label="audit benchmark", unit="cohorts", total=len(jobs)):
            append_records(path, records)


if __name__ == "__main__":
    main()
