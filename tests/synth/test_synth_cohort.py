"""Synthetic cohorts as a whole: tables, truth, determinism, counterfactuals."""

from __future__ import annotations

import json

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from corespot.errors import ParamsError
from corespot.synth import PRESETS, SyntheticCohort, SynthSettings, make_cohort, preset

SEED = 5


@pytest.fixture(scope="module")
def tiny() -> SyntheticCohort:
    return make_cohort(preset("tiny"), SEED)


@pytest.fixture(scope="module")
def broken() -> SyntheticCohort:
    return make_cohort(preset("tiny_counterfactual"), SEED)


def spectra(cohort: SyntheticCohort, block_size: int = 256) -> dict[str, npt.NDArray[np.float32]]:
    return {m.file: np.concatenate(list(m.blocks)) for m in cohort.measurements(block_size)}


def joined(cohort: SyntheticCohort) -> pd.DataFrame:
    return cohort.spots.merge(cohort.cores, on="core", how="left", validate="many_to_one")


def test_same_seed_gives_the_same_cohort_bit_for_bit(tiny: SyntheticCohort) -> None:
    again = make_cohort(preset("tiny"), SEED)
    pd.testing.assert_frame_equal(tiny.spots, again.spots)
    pd.testing.assert_frame_equal(tiny.cores, again.cores)
    assert tiny.truth == again.truth
    for file, block in spectra(tiny).items():
        assert np.array_equal(block, spectra(again)[file])


def test_another_seed_gives_another_cohort(tiny: SyntheticCohort) -> None:
    other = make_cohort(preset("tiny"), SEED + 1)
    assert other.truth["peptide_mz"] != tiny.truth["peptide_mz"]
    assert not other.spots.equals(tiny.spots)


@pytest.mark.parametrize("block_size", [1, 7, 32, 1000])
def test_the_block_size_does_not_change_a_bit(tiny: SyntheticCohort, block_size: int) -> None:
    expected = spectra(tiny)
    for m in tiny.measurements(block_size):
        blocks = list(m.blocks)
        assert all(len(block) == block_size for block in blocks[:-1])
        assert 1 <= len(blocks[-1]) <= block_size
        assert np.array_equal(np.concatenate(blocks), expected[m.file])


def test_block_size_zero_is_refused(tiny: SyntheticCohort) -> None:
    with pytest.raises(ValueError, match="at least one spectrum"):
        next(tiny.measurements(0))


def test_spectra_look_like_raw_profiles(tiny: SyntheticCohort) -> None:
    for m in tiny.measurements():
        block = np.concatenate(list(m.blocks))
        assert block.dtype == np.float32
        assert block.shape == (len(m.coordinates), tiny.axis.n_bins)
        assert m.mz.dtype == np.float64 and np.array_equal(m.mz, tiny.axis.mz)
        assert np.all(np.isfinite(block)) and np.all(block >= 0)
        assert np.all(block.sum(axis=1) > 0)


def test_every_row_of_the_spot_table_has_a_spectrum_and_background_has_no_row(
    tiny: SyntheticCohort,
) -> None:
    background = preset("tiny").tissue.background_per_tma
    for m in tiny.measurements():
        rows = tiny.spots[tiny.spots.file == m.file]
        measured = {(int(x), int(y)) for x, y, _ in m.coordinates}
        listed = set(zip(rows.x, rows.y, strict=True))
        assert len(measured) == len(m.coordinates)
        assert listed < measured
        assert len(measured) - len(listed) == background
        assert m.coordinates.min() >= 1


def test_tables_fit_together(tiny: SyntheticCohort) -> None:
    assert list(tiny.spots.columns) == ["file", "x", "y", "core", "roi"]
    assert not tiny.cores["core"].duplicated().any()
    assert set(tiny.spots["core"]) == set(tiny.cores["core"])
    assert "campaign" not in tiny.cores.columns and "campaign" not in tiny.spots.columns
    assert tiny.cores.groupby("patient")["tma"].nunique().max() == 1
    assert tiny.cores.groupby("patient")[["organ", "subtype"]].nunique().max().max() == 1
    assert set(tiny.cores.loc[tiny.cores.organ == "lung", "subtype"]) == {"AD", "SQ"}
    assert set(tiny.cores.loc[tiny.cores.organ == "pancreas", "subtype"]) == {""}
    pd.to_datetime(tiny.cores["acquisition_date"], format="%Y-%m-%d")


def test_truth_can_be_written_as_json(tiny: SyntheticCohort) -> None:
    truth = json.loads(json.dumps(tiny.truth, allow_nan=False))
    assert truth == tiny.truth
    assert set(truth["campaigns"]) == set(tiny.cores["tma"])
    assert SynthSettings.parse(truth["settings"], "truth.json: settings") == tiny.settings
    for family in truth["artifacts"].values():
        assert set(family["tma"]) == set(truth["campaigns"])


def test_published_markers_are_planted_at_their_mz(tiny: SyntheticCohort) -> None:
    assert dict(zip(tiny.markers["name"], tiny.markers["mz"], strict=True)) == {
        "CK7": 1406.6,
        "CK5": 1410.7,
        "CK15a": 1821.8,
        "CK15b": 1877.8,
        "HSP27": 1905.9,
    }
    truth = {marker["name"]: marker for marker in tiny.truth["markers"]}
    assert truth["CK7"]["up_in"] == "AD" and truth["CK7"]["sign"] == 1
    for name in ("CK5", "CK15a", "CK15b", "HSP27"):
        assert truth[name]["up_in"] == "SQ" and truth[name]["sign"] == -1
    assert all(marker["mz"] in tiny.truth["peptide_mz"] for marker in truth.values())


def test_planted_marker_separates_the_subtypes_in_tumour_not_in_stroma() -> None:
    settings = preset("tiny")
    biology = settings.biology.model_copy(update={"stroma_share": 0.0, "marker_log_fold": 2.0})
    cohort = make_cohort(settings.model_copy(update={"biology": biology}), SEED)
    window = slice(cohort.axis.nearest(1405.9), cohort.axis.nearest(1407.4))
    height: dict[tuple[str, int, int], float] = {}
    for m in cohort.measurements():
        relative = np.concatenate(list(m.blocks))
        relative = relative / relative.sum(axis=1, keepdims=True)
        for (x, y, _), value in zip(m.coordinates, relative[:, window].sum(axis=1), strict=True):
            height[m.file, int(x), int(y)] = float(value)
    table = joined(cohort)
    table["ck7"] = [height[key] for key in zip(table.file, table.x, table.y, strict=True)]
    lung = table[table.organ == "lung"].groupby(["roi", "subtype"])["ck7"].median()
    assert lung[1, "AD"] > 2.5 * lung[1, "SQ"]
    assert lung[0, "AD"] < 1.7 * lung[0, "SQ"]


def test_counterfactual_keeps_the_instrument_and_no_patient(
    tiny: SyntheticCohort, broken: SyntheticCohort
) -> None:
    assert broken.axis == tiny.axis
    for key in ("markers", "peptide_mz", "matrix_mz"):
        assert broken.truth[key] == tiny.truth[key]
    assert broken.truth["counterfactual"] and not tiny.truth["counterfactual"]
    for column in ("patient", "core", "tma"):
        assert not set(broken.cores[column]) & set(tiny.cores[column])
    assert not {m.file for m in broken.measurements()} & {m.file for m in tiny.measurements()}


@pytest.mark.parametrize("design", ["balanced", "partial", "nested", "nested_mixed"])
def test_counterfactual_has_every_class_in_every_campaign(design: str) -> None:
    settings = preset("tiny_counterfactual")
    settings = settings.model_copy(
        update={"design": settings.design.model_copy(update={"name": design})}
    )
    cohort = make_cohort(settings, SEED)
    cores = cohort.cores.assign(campaign=cohort.cores["tma"].map(cohort.truth["campaigns"]))
    for column, classes in (("organ", ["lung", "pancreas"]), ("subtype", ["AD", "SQ"])):
        table = pd.crosstab(cores["campaign"], cores[column])
        assert list(table.index) == ["A", "B"]
        assert (table[classes] > 0).all().all()
    assert (pd.crosstab(cores["tma"], cores["organ"]) > 0).all().all()


def test_campaign_artifacts_are_those_of_the_original(
    tiny: SyntheticCohort, broken: SyntheticCohort
) -> None:
    settings = preset("tiny")
    shared = settings.model_copy(
        update={"artifacts": settings.artifacts.model_copy(update={"rho": 1.0})}
    )
    original = make_cohort(shared, SEED).truth
    crossed = make_cohort(shared.as_counterfactual(), SEED).truth
    for family in original["artifacts"]:
        by_campaign: dict[str, list[object]] = {"A": [], "B": []}
        for truth in (original, crossed):
            for tma, campaign in truth["campaigns"].items():
                entry = truth["artifacts"][family]["tma"][tma]
                by_campaign[campaign].append(entry.get("coefficients", entry["amplitude"]))
        for values in by_campaign.values():
            assert all(value == values[0] for value in values)


def test_demo_has_the_promised_shape() -> None:
    cohort = make_cohort(preset("demo"), 1)
    table = joined(cohort)
    tmas = cohort.cores.groupby("tma")["organ"].agg(lambda organs: "|".join(sorted(set(organs))))
    assert tmas.value_counts().to_dict() == {"lung": 8, "pancreas": 4}
    lung = cohort.cores[cohort.cores.organ == "lung"]
    assert (pd.crosstab(lung["tma"], lung["subtype"]) > 0).all().all()
    assert cohort.cores.groupby("patient").size().between(1, 3).all()
    assert 700 <= int((table.roi.eq(1) & table.subtype.ne("")).sum()) <= 950
    assert 2000 <= len(table) <= 2500
    assert cohort.axis.kind == "tof" and cohort.axis.n_bins == 6400
    assert cohort.axis.width_da(1000.0) == pytest.approx(0.28, abs=0.01)
    campaigns = cohort.cores.assign(campaign=cohort.cores["tma"].map(cohort.truth["campaigns"]))
    assert campaigns.groupby("organ")["campaign"].unique().map(list).to_dict() == {
        "lung": ["A"],
        "pancreas": ["B"],
    }


def test_paper_scale_in_tables() -> None:
    cohort = make_cohort(preset("paper"), 1)
    table = joined(cohort)
    assert cohort.axis.n_bins == 27286
    assert 26_000 <= len(table) <= 29_000
    assert 4_000 <= int((table.roi.eq(1) & table.subtype.ne("")).sum()) <= 5_500


def test_unknown_preset_names_the_likely_one() -> None:
    with pytest.raises(ParamsError, match="did you mean 'demo'"):
        preset("dmo")
    assert all(isinstance(settings, SynthSettings) for settings in PRESETS.values())


def test_misspelt_setting_is_refused_with_a_suggestion() -> None:
    with pytest.raises(ParamsError, match="did you mean 'amplitude'"):
        SynthSettings.parse({"artifacts": {"amplitud": 1}}, "params.yaml: synth")


def test_too_short_an_axis_is_refused() -> None:
    with pytest.raises(ParamsError, match="too short for 220 peptides"):
        SynthSettings.parse({"spectra": {"low": 1000, "high": 1100}}, "params.yaml: synth")
