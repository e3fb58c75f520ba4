"""Search spaces: typed, overridable, holding what was published, in Optuna's terms and back."""

from __future__ import annotations

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corespot.errors import ParamsError
from corespot.models.registry import names
from corespot.models.search_space import Choice, Range, override_space
from corespot.train.estimator import make_estimator
from corespot.train.model_settings import default_settings, search_space, setting_names
from corespot.tune.space import configured, decoded, encoded, published, space_of, suggest


@pytest.mark.parametrize("model", names())
def test_every_model_has_a_space_that_holds_its_published_setting(model: str) -> None:
    space = search_space(model)
    assert space
    values, adapted = published(model, space)
    assert not adapted
    defaults = default_settings(model)
    assert values == {name: defaults[name] for name in space}


@pytest.mark.parametrize("model", names())
def test_what_a_sampler_proposes_can_be_made_or_is_refused_with_a_reason(model: str) -> None:
    space, study = (
        search_space(model),
        optuna.create_study(sampler=optuna.samplers.RandomSampler(1)),
    )
    made = 0
    for _ in range(30):
        trial = study.ask()
        values = suggest(trial, space)
        assert decoded(trial.params, space) == values
        assert all(allowed.holds(values[name]) for name, allowed in space.items())
        try:
            make_estimator(model, values, seed=0)
            made += 1
        except ParamsError as error:
            assert len(str(error)) > 20
    assert made >= 10


@pytest.mark.parametrize("model", names())
def test_every_setting_of_a_space_is_one_of_the_model(model: str) -> None:
    assert set(search_space(model)) <= set(setting_names(model))


def test_an_enqueued_setting_comes_back_as_it_was() -> None:
    space = {"channels": Choice(((8, 8), (16, 16))), "patch": Range(3, 9, whole=True, step=2)}
    study = optuna.create_study()
    study.enqueue_trial(encoded({"channels": (16, 16), "patch": 7}, space))
    assert suggest(study.ask(), space) == {"channels": (16, 16), "patch": 7}


def test_overrides_replace_add_and_take_out() -> None:
    space = space_of(
        "isotopenet",
        {
            "dropout": [0.1, 0.2],
            "learning_rate": {"low": 1e-4, "high": 1e-2},
            "epochs": {"low": 5, "high": 20},
            "local_kernel": None,
        },
        "here",
    )
    assert space["dropout"] == Choice((0.1, 0.2))
    assert space["learning_rate"] == Range(1e-4, 1e-2, log=True)  # the scale stays
    assert space["epochs"] == Range(5, 20, whole=True)
    assert "local_kernel" not in space


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"droput": [0.1, 0.2]}, "did you mean 'dropout'"),
        ({"dropout": [0.1]}, "two or more"),
        ({"dropout": {"low": 0.5, "high": 0.1}}, "low < high"),
        ({"dropout": {"low": 0.0, "high": 0.5, "log": True}}, "starts above 0"),
        ({"dropout": {"low": 0.1, "high": 0.5, "steps": 2}}, "did you mean 'step'"),
        ({"dropout": 0.3}, "expected a list"),
        ({"epochs": {"low": "few", "high": "many"}}, "here.epochs"),
    ],
)
def test_a_wrong_override_is_refused_by_name(overrides: dict[str, object], words: str) -> None:
    with pytest.raises(ParamsError, match=words.replace("(", r"\(")):
        override_space(
            search_space("isotopenet"), overrides, default_settings("isotopenet"), "here"
        )


def test_whole_numbers_are_told_by_the_setting_not_by_how_they_are_written() -> None:
    space = space_of(
        "isotopenet",
        {"weight_decay": {"low": 0, "high": 1}, "epochs": {"low": 10.0, "high": 40.0}},
        "s",
    )
    assert space["weight_decay"] == Range(0, 1)
    assert space["epochs"] == Range(10.0, 40.0, whole=True)


def test_lists_of_yaml_are_found_among_the_choices() -> None:
    values, adapted = configured("conv3d", {"channels": [16, 32, 32]}, search_space("conv3d"))
    assert values["channels"] == (16, 32, 32) and not adapted


def test_a_published_value_outside_gives_way_to_the_nearest_and_is_named() -> None:
    space = space_of("isotopenet", {"batch_size": [16, 64], "dropout": [0.0, 0.1]}, "s")
    values, adapted = published("isotopenet", space)
    assert values["batch_size"] == 64 and values["dropout"] == 0.1
    assert adapted == {"batch_size": 256, "dropout": 0.3}


def test_what_params_train_with_is_the_second_setting() -> None:
    space = search_space("isotopenet")
    values, _ = configured("isotopenet", {"learning_rate": 0.005, "epochs": 7}, space)
    assert values["learning_rate"] == 0.005
    assert values["dropout"] == default_settings("isotopenet")["dropout"]


@given(
    low=st.integers(1, 50),
    span=st.integers(1, 60),
    step=st.integers(1, 5),
    value=st.floats(-200, 200),
)
def test_the_nearest_whole_value_is_in_the_range(
    low: int, span: int, step: int, value: float
) -> None:
    if step > span:
        return
    allowed = Range(low, low + span, whole=True, step=step)
    found = allowed.nearest(value)
    assert low <= found <= low + span and (found - low) % step == 0
    grid = range(low, low + span + 1, step)
    assert abs(found - value) == min(abs(one - value) for one in grid)
    assert allowed.holds(found)


def test_a_choice_tells_true_from_one() -> None:
    assert not Choice((True, False)).holds(1)
    assert Choice((0, 1)).nearest(0.9) == 1
