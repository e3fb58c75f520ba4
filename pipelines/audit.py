"""Audit one trained model for confounding and add the verdict to its MLflow run."""

import sys
from pathlib import Path

from corespot.audit.model.audited_run import audit_run
from corespot.audit.model.written import write_audit
from corespot.errors import told_plainly
from corespot.io.artifacts import whole_folder
from corespot.params import load_params
from corespot.report.audit_page import write_audit_page
from corespot.report.audit_view import read_audit
from corespot.requests import audit_request
from corespot.tracking.audits import record_audit


def main(task: str, model: str) -> None:
    """Write indicators, verdict and figures of `model` on `task`."""
    params = load_params()
    request = audit_request(params, task, model)
    result = audit_run(request)
    out = Path("data/audit") / task / model
    with whole_folder(out) as part:
        audit = write_audit(part, result, run_id=request.run_id)
        write_audit_page(part, read_audit(part))
    record_audit(request.run_id, audit, out, params.tracking.uri)
    print(result.sentence)


if __name__ == "__main__":
    with told_plainly():
        main(sys.argv[1], sys.argv[2])
