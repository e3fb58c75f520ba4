"""Recipes: parsing, refusals, skips, and the leakage rule to the last bit."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import strategies as st
from spectra_blocks import N_BINS, blocks, for_all

from corespot.axis import MzAxis
from corespot.errors import ParamsError, RecipeError
from corespot.preprocess.recipe import DEFAULT, PreprocessSettings, Recipe, apply_recipe
from corespot.preprocess.step import STEPS, Step, register_step

RAW = MzAxis.tof(700.0, 900.0, N_BINS)
TARGET = MzAxis.equidistant(710, 890, 300)
TIC = {"step": "normalize", "method": "tic"}
LOG = {"step": "transform", "method": "log1p"}
CONVOLUTION = {"step": "baseline", "method": "convolution", "width": 20}
PICK = {"step": "peaks", "method": "local_maxima"}
LISTED = {"step": "peaks", "method": "listed", "mz": [720, 800.5], "tolerance": "1 Da"}

#: One recipe a registered step and method, so that a new step without an entry fails below.
EXAMPLES = {
    ("baseline", "convolution"): {},
    ("baseline", "tophat"): {"width": 30},
    ("baseline", "snip"): {"half_window": 12},
    ("baseline", "asls"): {"smoothness": 100, "max_iterations": 4},
    ("smooth", "savgol"): {},
    ("smooth", "gaussian"): {},
    ("normalize", "tic"): {},
    ("normalize", "rms"): {},
    ("normalize", "median"): {"to": 5},
    ("normalize", "none"): {},
    ("resample", "auto"): {},
    ("resample", "interpolate"): {},
    ("resample", "sum"): {},
    ("resample", "sticks"): {},
    ("align", "peptide_rule"): {"max_ppm": 100},
    ("align", "references"): {"mz": [750, 800, 850], "tolerance": "2 Da"},
    ("peaks", "local_maxima"): {"measure": "area"},
    ("peaks", "listed"): {"mz": [720, 800, 880], "tolerance": "2 Da", "measure": "area"},
    ("transform", "log1p"): {},
    ("transform", "sqrt"): {"scale": 2},
}
PAIRS = [(step, method) for step, methods in STEPS.items() for method in methods]


def example(pair):
    return {"step": pair[0], "method": pair[1], **EXAMPLES[pair]}


def test_every_registered_step_has_an_example():
    assert set(PAIRS) == set(EXAMPLES)


def test_the_default_recipe_is_the_papers():
    assert list(DEFAULT) == [CONVOLUTION, TIC]
    asked = [{**CONVOLUTION}, {**TIC, "to": 1.0}]
    assert Recipe.default().as_list() == asked
    assert PreprocessSettings().recipe == Recipe.default()


def run_all(pair, spectra):
    recipe = Recipe.parse([example(pair)])
    kind = "centroid" if pair == ("resample", "sticks") else "profile"
    if pair[1] == "peptide_rule":
        resolved = recipe  # the axis is too short for the rule, which the arithmetic does not mind
        return recipe.apply(spectra, RAW, RAW), resolved, RAW
    target = recipe.listed_axis or TARGET
    resolved = recipe.resolve(kind, RAW, target).recipe
    return resolved.apply(spectra, RAW, target), resolved, target


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
@for_all(spectra=blocks(n_max=5), seed=st.integers(0, 1000))
def test_a_spectrum_alone_and_in_any_block_gets_the_same_bits(pair, spectra, seed):
    whole, resolved, target = run_all(pair, spectra)
    assert whole.dtype == np.float32
    assert np.all(np.isfinite(whole))
    assert np.all(whole[spectra.sum(axis=1) == 0] == 0)
    rows = np.random.default_rng(seed).permutation(len(spectra))[: max(1, len(spectra) // 2)]
    assert np.array_equal(resolved.apply(spectra[rows], RAW, target), whole[rows])
    for row in rows[:2]:
        alone = apply_recipe(resolved.as_list(), RAW.mz, spectra[row].astype(np.float64), target)
        assert np.array_equal(alone, whole[row])


def test_block_size_does_not_matter_on_long_spectra():
    # Longer than numpy's buffers, where sums may be cut differently.
    axis = MzAxis.tof(500, 4500, 9001)
    spectra = np.random.default_rng(0).gamma(0.5, 9, (23, 9001)).astype(np.float32)
    recipe = (
        Recipe.parse([{"step": "smooth", "method": "savgol"}, CONVOLUTION, TIC, LOG])
        .resolve("profile", axis)
        .recipe
    )
    whole = recipe.apply(spectra, axis, axis)
    for size in (1, 2, 7):
        parts = [recipe.apply(spectra[i : i + size], axis, axis) for i in range(0, 23, size)]
        assert np.array_equal(np.concatenate(parts), whole)


def test_the_input_is_never_changed():
    spectra = np.random.default_rng(0).random((3, N_BINS)).astype(np.float32)
    before = spectra.copy()
    for pair in PAIRS:
        run_all(pair, spectra)
        assert np.array_equal(spectra, before)


def test_recipes_survive_json():
    recipe = Recipe.parse([example(pair) for pair in PAIRS if pair[0] != "resample"])
    assert Recipe.parse(json.loads(json.dumps(recipe.as_list()))) == recipe


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([{"step": "baselin", "method": "snip"}], "did you mean 'baseline'"),
        ([{"step": "baseline", "method": "snipp"}], "did you mean 'snip'"),
        ([{**CONVOLUTION, "widht": 3}], "did you mean 'width'"),
        ([{"step": "baseline"}], "needs a method"),
        ([{**CONVOLUTION, "width": -1}], "greater than or equal to 2"),
        ([{"step": "smooth", "method": "savgol", "window": 8}], "window must be odd"),
        ([{"step": "smooth", "method": "savgol", "window": 3, "order": 3}], "below window"),
        ([{**LISTED, "mz": [800, 720]}], "must increase"),
        ([{**LISTED, "mz": []}], "one or more"),
        ([{**LISTED, "tolerance": "0.3"}], "0.3 Da"),
        ([{"step": "align", "method": "references", "mz": [800]}], "at least least_matched"),
        (["tic"], "expected {step: NAME"),
        ("tic", "expected a list"),
        ({"step": "normalize"}, "expected a list"),
    ],
)
def test_misspelt_recipes_are_explained(steps, words):
    with pytest.raises(ParamsError) as caught:
        PreprocessSettings.parse({"recipe": steps}, "params.yaml: preprocess")
    assert words in str(caught.value)


def test_every_misspelling_is_named_at_once():
    with pytest.raises(ParamsError) as caught:
        Recipe.parse([{"step": "baselin"}, TIC, {"step": "nromalize"}])
    assert "recipe[0]" in str(caught.value)
    assert "recipe[2]" in str(caught.value)


@pytest.mark.parametrize(
    "step",
    [
        {"step": "pca"},
        {"step": "combat"},
        {"step": "standardize"},
        {"step": "align", "method": "mean_spectrum"},
    ],
)
def test_fitted_steps_are_sent_to_the_fold(step):
    with pytest.raises(RecipeError, match=r"leak|inside the fold"):
        Recipe.parse([step])


@pytest.mark.parametrize(
    ("steps", "kind", "words"),
    [
        ([LOG, CONVOLUTION], "profile", "a baseline adds to intensities"),
        ([LOG, TIC], "profile", "dividing by a total"),
        ([LOG, {"step": "transform", "method": "sqrt"}], "profile", "transformed already"),
        ([LOG, PICK], "profile", "noise level"),
        ([LOG, {**LISTED, "measure": "area"}], "profile", "sum of intensities"),
        ([LOG, {"step": "resample", "method": "sum"}], "profile", "sums mean nothing"),
        ([PICK, CONVOLUTION], "profile", "only peaks are left"),
        ([PICK, {"step": "smooth", "method": "savgol"}], "profile", "only peaks are left"),
        ([LISTED, CONVOLUTION], "profile", "only peaks are left"),
        ([PICK, {"step": "resample", "method": "interpolate"}], "profile", "use method sum"),
        ([TIC, {"step": "normalize", "method": "rms"}], "profile", "keep one of the two"),
        ([{"step": "resample", "method": "auto"}] * 2, "profile", "store's axis already"),
        ([{"step": "resample", "method": "sum"}, LISTED], "profile", "store's axis already"),
        ([{**CONVOLUTION, "width": 1000}], "profile", "spans 1000 bins, but the axis has 240"),
        ([{"step": "baseline", "method": "snip", "half_window": 200}], "profile", "401 bins"),
        ([{"step": "smooth", "method": "savgol", "window": 301}], "profile", "301 bins"),
        ([{**PICK, "half_window": 150}], "profile", "301 bins"),
        ([{**LISTED, "mz": [720, 2000]}], "profile", "outside the axis 700–900"),
        ([{**LISTED, "tolerance": "1 ppm"}], "profile", "widen the tolerance"),
        ([{"step": "align", "method": "peptide_rule"}], "profile", "covers less than 300"),
        ([{"step": "align", "method": "peptide_rule"}], "centroid", "align before peak"),
        (
            [{"step": "align", "method": "references", "mz": [750, 1500]}],
            "profile",
            "reference m/z 1500",
        ),
        ([{"step": "resample", "method": "interpolate"}], "centroid", "use method sum"),
    ],
)
def test_recipes_that_cannot_work_say_why(steps, kind, words):
    with pytest.raises(RecipeError) as caught:
        Recipe.parse(steps).check(kind, RAW)
    assert words in str(caught.value)


def test_every_reason_is_given_at_once():
    with pytest.raises(RecipeError) as caught:
        Recipe.parse([LOG, TIC, {**CONVOLUTION, "width": 999}]).check("profile", RAW)
    assert str(caught.value).count("\n- ") == 3


def test_the_peptide_rule_refuses_coarse_bins():
    with pytest.raises(RecipeError, match=r"1\.000495 Da apart"):
        Recipe.parse([{"step": "align", "method": "peptide_rule"}]).check(
            "profile", MzAxis.tof(500, 4000, 2000)
        )


def test_peak_picked_data_skips_what_has_nothing_to_do_there():
    recipe = Recipe.parse([{"step": "smooth", "method": "savgol"}, CONVOLUTION, PICK, TIC])
    resolved = recipe.resolve("centroid", RAW)
    assert [(s.step, s.method) for s in resolved.skipped] == [
        ("smooth", "savgol"),
        ("baseline", "convolution"),
        ("peaks", "local_maxima"),
    ]
    assert all(s.reason for s in resolved.skipped)
    assert [step.title for step in resolved.recipe.steps] == [
        "resample (sticks)",
        "normalize (tic)",
    ]


def test_baseline_after_normalisation_is_warned_about():
    resolved = Recipe.parse([TIC, CONVOLUTION]).resolve("profile", RAW)
    assert "comes after a normalisation" in resolved.warnings[0]
    assert Recipe.default().resolve("profile", RAW).warnings == ()


def test_steps_before_resampling_see_the_raw_axis():
    spectra = np.random.default_rng(0).random((4, N_BINS)).astype(np.float32)
    late = Recipe.parse([CONVOLUTION, {"step": "resample", "method": "interpolate"}])
    first = Recipe.parse([CONVOLUTION]).apply(spectra, RAW, RAW)
    move = Recipe.parse([{"step": "resample", "method": "interpolate"}])
    assert np.array_equal(late.apply(spectra, RAW, TARGET), move.apply(first, RAW, TARGET))


def test_single_spectra_that_cannot_be_preprocessed():
    recipe = Recipe.default().resolve("profile", RAW).recipe
    assert not apply_recipe(recipe, np.array([]), np.array([]), RAW).any()
    with pytest.raises(RecipeError, match="equal length"):
        apply_recipe(recipe, RAW.mz, np.zeros(3), RAW)
    with pytest.raises(RecipeError, match="must increase"):
        apply_recipe(recipe, RAW.mz[::-1], np.zeros(N_BINS), RAW)
    own = Recipe.parse([CONVOLUTION, {"step": "resample", "method": "interpolate"}])
    with pytest.raises(RecipeError, match="at least 20 points, this one has 5"):
        apply_recipe(own, RAW.mz[:5], np.ones(5), RAW)
    with pytest.raises(RecipeError, match="the recipe ends on"):
        Recipe.parse([LISTED]).apply(np.zeros((1, N_BINS), np.float32), RAW, RAW)


def test_a_step_cannot_be_registered_twice():
    with pytest.raises(ValueError, match="registered twice"):
        register_step(STEPS["normalize"]["tic"])


def test_a_bare_step_does_nothing_by_itself():
    with pytest.raises(NotImplementedError):
        Step(step="a", method="b").apply(np.zeros((1, 1), np.float32), RAW)


@pytest.mark.parametrize(
    ("axis", "words"),
    [
        ({"kind": "auto", "n_bins": 5}, "needs a kind"),
        ({"kind": "ppm", "bin_da": 0.1}, "give bin_ppm"),
        ({"kind": "tof", "bin_ppm": 100}, "takes bin_da"),
        ({"kind": "tof", "bin_da": 0.1, "n_bins": 5}, "give one of"),
        ({"low": 900, "high": 800}, "low must be below high"),
        ({"knd": "tof"}, "did you mean 'kind'"),
    ],
)
def test_axis_settings_are_checked(axis, words):
    with pytest.raises(ParamsError, match=words):
        PreprocessSettings.parse({"axis": axis}, "preprocess")


def test_settings_are_json_and_read_back():
    settings = PreprocessSettings.parse({"recipe": [TIC, LOG]}, "preprocess")
    text = json.dumps(settings.model_dump(mode="json"))
    assert PreprocessSettings.parse(json.loads(text), "preprocess") == settings
