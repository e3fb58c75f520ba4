"""From the outputs of the stages to pages, links and the few headline figures."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from spot_tables import labelled_spots, predictions_of

from corespot.axis import MzAxis
from corespot.cohort.tasks import SpotTruth, Task
from corespot.errors import StoreError
from corespot.evaluate.summary import evaluate_predictions, fold_table
from corespot.io.artifacts import read_json, write_arrays, write_json, write_table
from corespot.io.store import create_store
from corespot.report.collect import collect_run
from corespot.report.headline import headline_metrics
from corespot.report.html import load_figure_json
from corespot.report.overview import page_links, results_markdown, write_overview
from corespot.report.run_page import about, run_figures, write_run_page
from corespot.report.run_sections import ModelRun
from corespot.train.tuned import write_untuned

AXIS = MzAxis(np.linspace(900.0, 1000.0, 64))
TASK = {"T": Task(label="kind", classes=("AD", "SQ"))}
DESIGN = {
    "V": 0.94,
    "unit": "patient",
    "n_units": 6,
    "columns": [
        {"column": "tma", "scope": "between", "association": 0.94, "p_holm": 0.001, "n_units": 6},
        {"column": "date", "scope": "between", "association": 0.05, "p_holm": 0.8, "n_units": 6},
    ],
    "unidentified": ["Class SQ occurs on TMA2 only."],
    "repairs": ["Measure two cores of SQ on TMA1."],
}
GAPS = "task,model,grouping,balanced_accuracy,gap,reason\n"


def write_run(data, *, nested=False, models=("roc_lda", "resnet_patch")):
    """Outputs of a run of two models on 30 spots, one of them with all that a model may have."""
    labels = labelled_spots(n_tma=2, n_cores=3, radius=1)
    if nested:
        labels["class"] = np.where(labels["tma"] == "TMA1", "AD", "SQ")
    spots = labels.drop(columns="row").rename(columns={"class": "kind"})
    spots["truth"] = np.where(spots["x"] % 2, "cancer", "")  # a user's own column of that name
    spots.loc[0, "truth"] = "healthy"
    spectra = np.random.default_rng(0).gamma(1.0, size=(len(spots), AXIS.n_bins))
    meta = {"recipe": [], "skipped": [], "data_kind": "profile"}
    with create_store(data / "store", spots=spots, axis=AXIS, meta=meta) as writer:
        writer.write(slice(0, len(spots)), spectra.astype(np.float32))
    predictions = predictions_of(labels).assign(row=lambda table: table["row"] - 100)
    for model in models:
        folder = data / "train" / "T" / model
        metrics = evaluate_predictions(predictions, spots, ("AD", "SQ"), n_bootstrap=0)
        metrics |= {"run_id": "r", "grouping": "tma", "n_spots": len(spots)}
        write_table(folder / "predictions.parquet", predictions)
        write_table(folder / "fold_metrics.parquet", fold_table(predictions, spots, ("AD", "SQ")))
        if model == "resnet_patch":
            metrics |= _spatial(data, folder, labels)
        write_json(folder / "metrics.json", metrics)
        write_untuned(data / "tune" / "T" / model, "T", model)
    write_json(data / "design" / "design.json", {"T": DESIGN})
    (data / "leakage").mkdir()
    (data / "leakage" / "T.csv").write_text(
        GAPS + "T,roc_lda,spot,0.91,0.123456,\nT,roc_lda,core,,,too few\nT,roc_lda,tma,0.79,0.0,\n"
    )
    return spectra


def _spatial(data, folder, labels):
    """Tables and metrics that only models of patches have."""
    history = {"epoch": [1], "train_loss": [0.5], "repeat": [0], "fold": [0]}
    write_table(folder / "history.parquet", pd.DataFrame(history))
    cores = labels.groupby(["core", "tma", "class"], as_index=False).size()
    cores = cores.assign(repeat=0, fraction=0.5, dice=0.5)
    write_table(folder / "cores.parquet", cores)
    out = data / "sensitivity" / "T" / "resnet_patch"
    rows = labels["row"].to_numpy() - 100
    points = pd.DataFrame({"row": rows, "tsne_x": 0.0, "tsne_y": 1.0, "held_out": rows % 2 == 0})
    write_table(out / "embedding.parquet", points)
    value = pd.DataFrame({"row": rows, "class": "AD", "sensitivity": rows.astype(float)})
    write_table(out / "spot_map.parquet", value)
    write_arrays(out / "sensitivity.npz", {"class_means": np.ones((2, AXIS.n_bins))})
    (out / "sensitivity.html").write_text("page")
    return {
        "ablation": {"spatial": {"drop": 0.1, "ci95": [0.0, 0.2]}},
        "segmentation": {"positive": "AD", "fraction_auc": {"value": 0.7, "ci95": None}},
        "facts": [{"training_scope": "from scratch"}, {"training_scope": "from scratch"}],
    }


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    data = tmp_path_factory.mktemp("project") / "data"
    write_run(data)
    return collect_run(data, "data/raw/x", tasks=TASK, models=["roc_lda", "resnet_patch"])


def test_run_page_has_a_section_for_everything_there_is(run, tmp_path):
    write_run_page(tmp_path, run, "T", "resnet_patch")
    names = {path.stem for path in tmp_path.glob("*.json")}
    assert names == {
        *("folds", "confusion_spot", "confusion_core", "confusion_patient", "calibration"),
        *("learning_curves", "class_maps", "spot_sensitivity_0", "embedding", "segmentation"),
        *("gallery_right", "gallery_wrong", "gallery_unsure", "ablation"),
    }
    page = (tmp_path / "performance.html").read_text(encoding="utf-8")
    headings = re.findall(r"<h2>(.*?)</h2>", page)
    assert headings[0] == "About" and {"Maps of the tissue", "Single spots"} <= set(headings)
    assert page.count('class="plotly-graph-div"') == len(names), "no figure is forgotten"
    assert "from scratch" in page and len(page) < 6_000_000
    right = load_figure_json(tmp_path / "gallery_right.json")
    assert any(trace.type == "heatmap" for trace in right.data), "patches show their neighbourhood"
    embedded = run_figures(run, "T", "resnet_patch")["embedding"]
    assert len(embedded.data[0].x) == len(embedded.data[1].x) == 15


def test_a_model_of_single_spectra_has_fewer_sections(run, tmp_path):
    write_run_page(tmp_path, run, "T", "roc_lda")
    names = {path.stem for path in tmp_path.glob("*.json")}
    assert "leakage_gap" in names
    assert not names & {"embedding", "ablation", "segmentation", "learning_curves"}
    wrong = load_figure_json(tmp_path / "gallery_wrong.json")
    assert not any(trace.type == "heatmap" for trace in wrong.data)


def test_gallery_spectra_are_those_of_the_store(tmp_path):
    spectra = write_run(tmp_path / "data", models=("roc_lda",))
    run = collect_run(tmp_path / "data", "x", tasks=TASK, models=["roc_lda"])
    first = run_figures(run, "T", "roc_lda")["gallery_unsure"].data[0]
    row = ModelRun(run, "T", "roc_lda").spots.sort_values(["probability", "row"])["row"].iloc[0]
    wanted = spectra[row] / spectra[row].max()
    np.testing.assert_allclose(np.asarray(first.y, dtype=float), wanted, rtol=1e-5)
    # No sensitivity stage here: the means are made from the store itself.
    labels = run.labels["T"]
    mean = spectra[labels.loc[labels["class"] == "SQ", "row"]].mean(axis=0)
    np.testing.assert_allclose(run.class_means["T"][1], mean, rtol=1e-5)


def test_overview_links_to_all_pages_and_warns(run, tmp_path):
    links = page_links(run, "../../data")
    assert [link.href for link in links["performance"]] == [
        *("T/roc_lda/performance.html", "T/resnet_patch/performance.html")
    ]
    assert links["sensitivity"].tolist()[0] == "—"
    assert links["sensitivity"].tolist()[1].href == (
        "../../data/sensitivity/T/resnet_patch/sensitivity.html"
    )
    write_overview(tmp_path, run)
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert 'href="T/resnet_patch/performance.html"' in page and "quality.html" not in page
    assert "too few" in page and "No TMA holds" not in page
    markdown = results_markdown(run)
    assert "| T | roc_lda | TMA | 30 |" in markdown and "## Segmentation" in markdown


def test_nested_designs_are_marked_everywhere(tmp_path):
    write_run(tmp_path / "data", nested=True, models=("roc_lda",))
    run = collect_run(tmp_path / "data", "x", tasks=TASK, models=["roc_lda"])
    assert run.metrics["T"]["roc_lda"]["nested_design"] is True
    assert "| T † | roc_lda |" in results_markdown(run) and "† No TMA" in results_markdown(run)
    write_overview(tmp_path, run)
    write_run_page(tmp_path, run, "T", "roc_lda")
    for name in ("index.html", "performance.html"):
        assert "No TMA holds two classes" in (tmp_path / name).read_text(encoding="utf-8")


def test_headline_metrics_are_few_and_plain(run, tmp_path):
    found = headline_metrics(run)
    assert list(found["T"]) == ["roc_lda", "resnet_patch"]
    spot = run.metrics["T"]["roc_lda"]["spot"]["balanced_accuracy"]["median"]
    assert found["T"]["roc_lda"]["spot"] == round(spot, 4)
    assert found["T"]["roc_lda"]["leakage_gap"] == 0.1235
    assert set(found["T"]["resnet_patch"]) == {"spot", "core", "patient"}
    write_json(tmp_path / "summary.json", found)
    assert read_json(tmp_path / "summary.json") == found


def test_about_says_what_was_trained(run):
    told = about(ModelRun(run, "T", "resnet_patch")).set_index("")["value"]
    assert told["classes"] == "AD, SQ" and told["spots"] == "30"
    assert told["training scope"] == "from scratch", "said once for all folds"
    assert "seconds an epoch" not in told.index


def test_the_truth_of_spots_goes_before_the_label_of_their_core(tmp_path):
    write_run(tmp_path / "data", models=("roc_lda",))
    truth = SpotTruth(label="truth", classes=("healthy", "cancer"))
    task = {"T": Task(label="kind", classes=("AD", "SQ"), truth=truth)}
    run = collect_run(tmp_path / "data", "x", tasks=task, models=["roc_lda"])
    spots = ModelRun(run, "T", "roc_lda").spots
    assert set(spots["truth"]) == {"AD", "SQ", ""}
    odd = spots["x"] % 2 == 1
    assert (spots.loc[odd & (spots["row"] > 0), "truth"] == "SQ").all()
    assert (
        spots["wrong"] == ((spots["truth"] != "") & (spots["truth"] != spots["predicted"]))
    ).all()
    without = collect_run(tmp_path / "data", "x", tasks=TASK, models=["roc_lda"])
    assert "truth" not in ModelRun(without, "T", "roc_lda").spots


def test_an_incomplete_run_is_refused(tmp_path):
    write_run(tmp_path / "data", models=("roc_lda",))
    write_json(tmp_path / "data/train/T/roc_lda/metrics.json", {"spot": {}})
    with pytest.raises(StoreError, match="incomplete"):
        collect_run(tmp_path / "data", "x", tasks=TASK, models=["roc_lda"])
