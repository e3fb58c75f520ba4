"""Check the cohort folder and join its tables into one row a spot."""

import sys
from pathlib import Path

from corespot.errors import CohortError, told_plainly
from corespot.io.artifacts import whole_folder, write_json, write_table
from corespot.io.check import check_cohort
from corespot.io.cohort_folder import load_cohort
from corespot.params import check_everything, load_params


def main() -> None:
    """Refuse a broken cohort; otherwise write its spot table and summary."""
    params = load_params()
    check_everything(params)
    report = check_cohort(Path(params.cohort), tasks=params.plain_tasks())
    print(report.text(), file=sys.stdout if report.ok else sys.stderr)
    if not report.ok:
        raise SystemExit(CohortError.exit_code)
    cohort = load_cohort(Path(params.cohort))
    with whole_folder("data/ingest") as out:
        write_table(out / "spots.parquet", cohort.spots)
        write_table(out / "cores.parquet", cohort.cores)
        write_json(out / "summary.json", report.summary)
        if cohort.markers is not None:
            write_table(out / "markers.csv", cohort.markers)


if __name__ == "__main__":
    with told_plainly():
        main()
