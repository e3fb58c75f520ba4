"""Control cores: one tissue on every TMA, in no task, measured as all else."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from corespot.audit.design.all_designs import audit_designs
from corespot.audit.indicators.control_cores import find_control_spots
from corespot.cohort.tasks import Task, select_spots
from corespot.errors import ParamsError
from corespot.io.check import check_cohort
from corespot.io.cohort_folder import load_cohort, write_cohort
from corespot.synth import SyntheticCohort, SynthSettings, make_cohort, preset
from corespot.synth.biology import peptide_areas
from corespot.synth.request import SynthRequest, make_requested

SEED = 5
TASKS = {
    "ADSQ": Task(label="subtype", classes=("AD", "SQ"), where={"roi": 1}),
    "LP": Task(label="organ", classes=("lung", "pancreas")),
}


def settings_of(control_cores: int, **sections: dict[str, Any]) -> SynthSettings:
    settings = preset("tiny")
    changes = {"design": {"control_cores": control_cores}, **sections}
    return settings.model_copy(
        update={
            name: getattr(settings, name).model_copy(update=values)
            for name, values in changes.items()
        }
    )


def digest(cohort: SyntheticCohort) -> str:
    tables = cohort.spots.to_csv() + cohort.cores.to_csv() + json.dumps(cohort.truth["settings"])
    return hashlib.sha256(tables.encode()).hexdigest()[:16]


def log_areas(cohort: SyntheticCohort, at: int) -> npt.NDArray[np.float64]:
    """Log areas of the peptides in each control spot of a TMA."""
    plan, tissue = cohort.plans[at], cohort.tissues[at]
    areas = peptide_areas(cohort.proteome, cohort.settings.biology, plan, tissue, cohort.seed)
    is_control = np.array([patient.control for patient in plan.patients])[tissue.core_patient]
    logs: npt.NDArray[np.float64] = np.log(areas[(tissue.core >= 0) & is_control[tissue.core]])
    return logs


def test_cohorts_without_control_cores_are_what_they_were() -> None:
    assert digest(make_cohort(preset("tiny"), SEED)) == "6f3fdc0876aa2ce5"
    assert digest(make_cohort(preset("tiny_counterfactual"), SEED)) == "8583d8bf3fb2275f"
    assert "control_cores" not in make_cohort(preset("tiny"), SEED).truth["settings"]["design"]


@pytest.mark.parametrize("counterfactual", [False, True])
def test_every_tma_has_them_and_all_else_stays_in_place(counterfactual: bool) -> None:
    base, with_controls = settings_of(0), settings_of(3)
    if counterfactual:
        base, with_controls = base.as_counterfactual(), with_controls.as_counterfactual()
    without, cohort = make_cohort(base, SEED), make_cohort(with_controls, SEED)
    assert list(cohort.cores.columns) == [*without.cores.columns, "control"]
    controls = cohort.cores[cohort.cores["control"] == 1]
    assert controls.groupby("tma").size().to_dict() == dict.fromkeys(without.cores["tma"], 3)
    assert set(controls["patient"]) == {"CONTROL"}
    assert set(controls["organ"]) == set(controls["subtype"]) == {""}
    patients = cohort.cores[cohort.cores["control"] == 0].drop(columns="control")
    pd.testing.assert_frame_equal(patients.reset_index(drop=True), without.cores)
    spots = cohort.spots[~cohort.spots["core"].isin(controls["core"])]
    pd.testing.assert_frame_equal(spots.reset_index(drop=True), without.spots)
    assert cohort.truth["markers"] == without.truth["markers"]
    assert cohort.truth["artifacts"] == without.truth["artifacts"]
    assert SynthSettings.parse(cohort.truth["settings"], "truth.json") == with_controls
    for tissue in cohort.tissues:
        assert len({tuple(point) for point in tissue.coordinates.tolist()}) == len(tissue.core)


def test_their_tissue_is_the_same_on_every_tma_and_belongs_to_no_class() -> None:
    still = {"core_sd": 0.0, "spot_sd": 0.0, "tissue_sd": 0.0}
    cohort = make_cohort(settings_of(2, biology=still), SEED)
    broken = make_cohort(settings_of(2, biology=still).as_counterfactual(), SEED)
    areas = [log_areas(one, at) for one in (cohort, broken) for at in range(len(one.plans))]
    assert all(np.allclose(block, areas[0][0], atol=1e-12) for block in areas)
    other = make_cohort(settings_of(2, biology={**still, "patient_sd": 0.0}), SEED)
    assert np.allclose(log_areas(other, 0), other.proteome.log_area)


def test_they_have_a_core_and_spot_variation_of_their_own() -> None:
    cohort = make_cohort(settings_of(2, biology={"tissue_sd": 0.0}), SEED)
    areas = [log_areas(cohort, at) for at in range(len(cohort.plans))]
    assert np.unique(areas[0], axis=0).shape == areas[0].shape
    # Two cores (.15) and about 18 spots (.30) a TMA: .13. Other patients would differ by .45.
    between = np.std([block.mean(axis=0) for block in areas], axis=0, ddof=1)
    assert 0.08 < np.sqrt(np.mean(between**2)) < 0.2


def test_artifacts_act_on_them_digestion_included() -> None:
    """With nothing but digestion, control cores of two TMAs differ by it, peak for peak."""
    still = {"patient_sd": 0.0, "core_sd": 0.0, "spot_sd": 0.0, "tissue_sd": 0.0}
    alone = {"weights": {"digestion": 0.5}, "amplitude": 1.0}
    cohort = make_cohort(settings_of(2, biology=still, artifacts=alone), SEED)
    heights = []
    for plan, tissue in zip(cohort.plans, cohort.tissues, strict=True):
        spectra = cohort.expected(plan.tma)[tissue.core == len(tissue.core_names) - 1]
        spectra /= spectra.sum(axis=1, keepdims=True)
        bins = [cohort.axis.nearest(mz) for mz in cohort.proteome.mz]
        heights.append(np.log(spectra.mean(axis=0)[bins]))
    planted = [cohort.artifacts[plan.tma].coefficients["digestion"] for plan in cohort.plans]
    first, last = 0, len(cohort.plans) - 1
    clear = cohort.proteome.log_area > np.median(cohort.proteome.log_area)
    found, true = heights[last] - heights[first], planted[last] - planted[first]
    assert np.corrcoef(found[clear], true[clear])[0, 1] > 0.8


def test_a_written_cohort_is_accepted_and_audited_and_takes_no_control_into_a_task(
    tmp_path: Path,
) -> None:
    request = {"preset": "tiny", "seed": 1, "settings": {"design": {"control_cores": 2}}}
    made = make_requested(SynthRequest.parse(request, "synth"))
    folder = tmp_path / "tiny"
    write_cohort(
        folder,
        spots=made.spots,
        cores=made.cores,
        measurements=made.measurements(),
        extras={"markers.csv": made.markers, "truth.json": made.truth},
    )
    assert list(check_cohort(folder, tasks=TASKS).problems) == []
    spots = load_cohort(folder).spots
    found = find_control_spots(spots)
    assert set(spots.loc[found, "patient"]) == {"CONTROL"}
    assert not (spots.loc[~found, "patient"] == "CONTROL").any()
    assert spots.loc[found].groupby("tma")["core"].nunique().eq(2).all()
    for name, task in TASKS.items():
        assert not find_control_spots(select_spots(spots, name, task).spots).any()
    audit = audit_designs(spots, TASKS)["LP"].text()
    assert "Control cores are marked" in audit and "CONTROL" not in audit


def test_a_negative_number_is_refused() -> None:
    request = {"preset": "tiny", "settings": {"design": {"control_cores": -1}}}
    with pytest.raises(ParamsError, match="control_cores"):
        make_requested(SynthRequest.parse(request, "synth"))
