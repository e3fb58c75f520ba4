"""What an audit leaves in MLflow: tags to filter by and to sort by, metrics, files."""

from __future__ import annotations

from pathlib import Path

import pytest

from corespot.tracking.audits import METRICS, record_audit
from corespot.tracking.runs import start_run


@pytest.fixture
def uri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    return f"sqlite:///{tmp_path}/mlflow.db"


def audit(verdict: str, share: float | None, **readings: float | None) -> dict[str, object]:
    numbers = {"artifact_share": share, "V": 0.9, "leakage": None, **readings}
    return {"verdict": verdict, "sentence": f"it is {verdict}", "score": 1.5, "readings": numbers}


def test_runs_are_filtered_by_verdict_and_sorted_by_share(tmp_path: Path, uri: str):
    shares = {"confounded": 0.71, "suspect": 0.099, "not_excluded": -0.02, "no_evidence": None}
    folder = tmp_path / "audit"
    folder.mkdir()
    (folder / "audit.json").write_text("{}")
    ids = {}
    for verdict, share in shares.items():
        with start_run(verdict, experiment="x", tags={}, uri=uri) as run:
            ids[verdict] = run.run_id
        assert record_audit(run.run_id, audit(verdict, share), folder, uri)

    def found(query: str, *order: str) -> list[str]:
        runs = run.client.search_runs([run.experiment], query, order_by=list(order))
        return [one.info.run_id for one in runs]

    for verdict in shares:
        assert found(f"tags.audit.verdict = '{verdict}'") == [ids[verdict]]
    assert found("metrics.audit.artifact_share > 0.09", "metrics.audit.artifact_share ASC") == [
        ids["suspect"],
        ids["confounded"],
    ]
    by_tag = found("tags.audit.V = '0.900'", "tags.audit.artifact_share ASC")
    assert by_tag == [ids[v] for v in ("not_excluded", "suspect", "confounded", "no_evidence")]
    kept = run.client.get_run(ids["no_evidence"])
    assert kept.data.tags["audit.artifact_share"] == "not applicable"
    assert "audit.artifact_share" not in kept.data.metrics
    assert kept.data.metrics["audit.score"] == 1.5
    kept = run.client.get_run(ids["not_excluded"])
    assert kept.data.metrics["audit.artifact_share"] == -0.02
    assert kept.data.tags["audit.sentence"] == "it is not_excluded"
    assert [file.path for file in run.client.list_artifacts(run.run_id, "audit")] == [
        "audit/audit.json"
    ]


def test_every_metric_is_an_indicator():
    from corespot.audit.verdict.readings import MEANINGS

    assert set(METRICS) <= set(MEANINGS)


def test_a_run_of_another_store_is_told(tmp_path: Path, uri: str, capsys):
    with start_run("x", experiment="x", tags={}, uri=uri):
        pass
    assert not record_audit("0" * 32, audit("suspect", 0.1), tmp_path / "out", uri)
    assert "is not in this MLflow store" in capsys.readouterr().out
