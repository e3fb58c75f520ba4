"""The registry: names it takes, a version once, and only models that are the run's own and ours."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest

from corespot.axis import MzAxis
from corespot.errors import StoreError, TrackingError
from corespot.mitigate.mitigated import MitigatedClassifier
from corespot.mitigate.requested import make_ways
from corespot.mitigate.saved import save_mitigated
from corespot.tracking.pyfunc import log_ensemble
from corespot.tracking.reading import LoggedRun, read_run
from corespot.tracking.registry import (
    CANDIDATE,
    CHAMPION,
    aliases_of,
    bearers,
    register,
    registered,
    registered_name,
    set_candidate,
    versions_of,
    withdraw,
)
from corespot.tracking.runs import start_run
from corespot.tracking.served import served_model
from corespot.train.estimator import make_estimator
from reviewed_project import Reviewed


@pytest.fixture
def run(reviewed: Reviewed) -> LoggedRun:
    return read_run(reviewed.client, reviewed.ids["clean"])


@pytest.mark.parametrize(
    ("experiment", "task", "name"),
    [
        ("demo", "ADSQ", "demo-ADSQ"),
        ("lung 2026/7", "LP", r"lung_2026_7-LP-[0-9a-f]{8}"),
        ("a:b", "LP", r"a_b-LP-[0-9a-f]{8}"),
        ("../..", "LP", r"-LP-[0-9a-f]{8}"),
        ("🧪", "", r"-+[0-9a-f]{8}"),
        ("<script>", "ä", r"[\w-]+-[0-9a-f]{8}"),
    ],
)
def test_names_are_such_that_mlflow_takes_them(
    run: LoggedRun, reviewed: Reviewed, experiment: str, task: str, name: str
) -> None:
    found = registered_name(replace(run, experiment=experiment, tags={"task": task}))
    assert re.fullmatch(f".*{name}", found), found
    reviewed.client.create_registered_model(found)


def test_names_that_differ_in_other_signs_stay_apart(run: LoggedRun) -> None:
    names = {registered_name(replace(run, experiment=one)) for one in ("a/b", "a:b", "a_b")}
    assert len(names) == 3


def test_a_run_has_one_version_however_often_it_is_registered(
    reviewed: Reviewed, run: LoggedRun
) -> None:
    client = reviewed.client
    assert registered(client, run) is None
    model = served_model(client, run)
    version, is_new = register(client, run, model, {"who": "Ann"})
    again, still_new = register(client, run, replace(model, sha256="x"), {"who": "Bob"})
    assert (is_new, still_new) == (True, False) and version.key == again.key
    kept = registered(client, run)
    assert kept is not None and kept.tags["who"] == "Bob"
    assert kept.tags["model.sha256"] == model.sha256  # that of the first time
    assert [one.key for one in versions_of(client, run.run_id)] == [version.key]
    with pytest.raises(TrackingError, match="no identifier"):
        versions_of(client, "x' OR '1' = '1")


def test_aliases_are_given_and_withdrawn(reviewed: Reviewed, run: LoggedRun) -> None:
    client = reviewed.client
    version, _ = register(client, run, served_model(client, run), {})
    assert set_candidate(client, version) is None and set_candidate(client, version) == version
    assert bearers(client, CHAMPION) == []
    client.set_registered_model_alias(version.name, CHAMPION, version.version)
    assert [one.key for one in bearers(client, CHAMPION)] == [version.key]
    assert aliases_of(client, version) == (CANDIDATE, CHAMPION)
    told = withdraw(client, run.run_id)
    assert told == [f"demo-ADSQ version 1 is no longer {one}" for one in (CHAMPION, CANDIDATE)]
    assert withdraw(client, run.run_id) == [] and aliases_of(client, version) == ()


def test_the_registered_model_is_served(reviewed: Reviewed, run: LoggedRun) -> None:
    version, _ = register(reviewed.client, run, served_model(reviewed.client, run), {})
    before = served_model(reviewed.client, run).sha256
    mlflow.set_tracking_uri(reviewed.uri)
    model = mlflow.pyfunc.load_model(f"models:/{version.name}/{version.version}")
    assert model.metadata.flavors["python_function"]["loader_module"] == "corespot.tracking.pyfunc"
    # Loading leaves a file behind, which is no change of the model.
    assert served_model(reviewed.client, run).sha256 == before


def _mlmodel(reviewed: Reviewed, run: LoggedRun) -> Path:
    model_id = run.tags["model_uri"].removeprefix("models:/")
    return reviewed.root / "mlruns/artifacts/demo/models" / model_id / "artifacts/MLmodel"


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("corespot.tracking.pyfunc", "mlflow.sklearn", "is loaded by 'mlflow.sklearn'"),
        ("code: null", "code: evil", "expected corespot.tracking.pyfunc alone"),
        ("data: data/models", "data: ../../../..", "expected corespot.tracking.pyfunc alone"),
        ("data: data/models", "data: data/none", "holds no weights"),
        ("flavors:", "flavours:", "cannot be read"),
        ("flavors:", "- [", "cannot be read"),
        ("python_function:", "sklearn:", "cannot be read"),
    ],
)
def test_a_model_that_others_would_load_is_refused(
    reviewed: Reviewed, run: LoggedRun, old: str, new: str, why: str
) -> None:
    file = _mlmodel(reviewed, run)
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    with pytest.raises(StoreError, match=why):
        served_model(reviewed.client, run)


def test_a_model_that_is_gone_is_told(reviewed: Reviewed, run: LoggedRun) -> None:
    _mlmodel(reviewed, run).unlink()
    with pytest.raises(StoreError, match="the files of the model"):
        served_model(reviewed.client, run)
    corrected = replace(run, tags={"mitigation": "batch_correction"})
    with pytest.raises(StoreError, match="applied to corrected TMAs"):
        served_model(reviewed.client, corrected)


def test_a_model_with_ways_out_is_served_without_pickles(
    reviewed: Reviewed, tmp_path: Path
) -> None:
    axis, rng = MzAxis.tof(800, 900, 1200), np.random.default_rng(0)
    peaks = sum(np.exp(-(((axis.mz - at) / 0.2) ** 2)) for at in range(805, 900, 7))
    heights = rng.gamma(2.0, size=(20, 1)) + 1
    spectra = (heights * peaks + rng.uniform(0.05, 0.1, (20, 1200))).astype(np.float32)
    labels = np.repeat(["a", "b"], 10)
    fitted = []
    for seed in range(2):
        inner = make_estimator("logistic", {}, seed=seed, device="cpu")
        ways = make_ways(["mask_off_peak"], {}, where="a test")
        one = MitigatedClassifier(inner, ways, axis, random_state=seed)
        fitted.append(one.fit(spectra[seed:], labels[seed:]))
        save_mitigated(
            tmp_path / "models" / f"repeat0-fold{seed}", one, classes=["a", "b"], recipe=[]
        )
    with start_run("with a way", experiment="demo", tags={}, uri=reviewed.uri) as run:
        uri = log_ensemble(run, tmp_path / "models", "0")
        run.tags({"model_uri": uri})
    assert served_model(reviewed.client, read_run(reviewed.client, run.run_id)).uri == uri
    mlflow.set_tracking_uri(reviewed.uri)
    asked = pd.DataFrame({"mz": [axis.mz] * 4, "intensity": list(spectra[:4].astype(float))})
    found = mlflow.pyfunc.load_model(uri).predict(asked)[["prob_a", "prob_b"]]
    wanted = np.mean([one.predict_proba(spectra[:4]) for one in fitted], axis=0)
    np.testing.assert_allclose(found, wanted, atol=1e-5)
