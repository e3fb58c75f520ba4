"""Bring the results of all tasks and models together: metrics, table and pages."""

from pathlib import Path

from corespot.errors import told_plainly
from corespot.io.artifacts import whole_file, whole_folder, write_json
from corespot.params import load_params
from corespot.report.audit_summary import audit_summary
from corespot.report.collect import collect_run
from corespot.report.headline import headline_metrics
from corespot.report.overview import results_markdown, write_overview
from corespot.report.run_page import write_run_page
from corespot.tracking.runs import add_to_run


def main() -> None:
    """Write metrics, the result table and all pages into ``reports``."""
    params = load_params()
    run = collect_run(Path("data"), params.cohort, tasks=params.plain_tasks(), models=params.models)
    with whole_folder("reports/figures") as part:
        write_overview(part, run)
        for task, models in run.metrics.items():
            for model, scores in models.items():
                pages = part / task / model
                pages.mkdir(parents=True)
                write_run_page(pages, run, task, model)
                add_to_run(str(scores["run_id"]), pages, "performance", params.tracking.uri)
    with whole_file("reports/results.md") as file:
        file.write_text(results_markdown(run), encoding="utf-8")
    write_json("reports/metrics.json", run.metrics)
    write_json("reports/summary.json", headline_metrics(run))
    write_json("reports/tuning.json", run.tuning)
    write_json("reports/audit.json", audit_summary(run.audits))


if __name__ == "__main__":
    with told_plainly():
        main()
