"""Recommendations follow what carries the class gap, and name ways that exist."""

import pytest

from corespot.audit.applicable import NotApplicable
from corespot.audit.calibration.thresholds import Thresholds
from corespot.audit.verdict.readings import Readings
from corespot.audit.verdict.verdict import judge
from corespot.audit.verdict.ways_out import recommend
from corespot.mitigate.way import way_names

LINES = Thresholds(
    {"artifact_share": 0.1, "non_peptide": 0.1, "control_share": 0.3}, "conv1d", True, 50, "made up"
)


def recommended(**numbers):
    readings = Readings({"V": 0.9, **numbers})
    return recommend(judge(readings, LINES), readings)


def test_the_reason_names_the_part_that_carries_most_first():
    found = recommended(artifact_share=0.6, off_peak=0.1, calibration=0.4, gain=0.1, resolution=0.0)
    assert [way for way, _ in found.ways][:2] == ["artifact_projection", "peak_list"]
    reason = found.ways[0][1]
    assert "a shift of the m/z axis carries 40 %, " in reason
    assert reason.index("40 %") < reason.index("10 %")
    assert "width of peaks carries" not in reason


def test_every_way_exists():
    found = recommended(artifact_share=0.8, off_peak=0.2, calibration=0.2, gain=0.2, resolution=0.2)
    batch = recommended(control_share=0.9, control_p=0.01)
    named = [way for way, _ in (*found.ways, *batch.ways)]
    assert set(named) <= set(way_names())
    assert named[-1] == "batch_correction"


def test_the_design_is_asked_for_what_it_lacks():
    lacking = recommended(artifact_share=0.6, off_peak=0.6)
    assert len(lacking.design) == 2
    whole = recommended(
        artifact_share=0.6, off_peak=0.6, control_share=0.1, control_p=0.4, counterfactual_drop=0.3
    )
    assert whole.design == ()


@pytest.mark.parametrize("tie", [0.0, 0.3])
def test_nothing_is_recommended_where_nothing_is_in_question(tie):
    found = recommended(V=tie, artifact_share=0.9, off_peak=0.9)
    assert found.ways == () and found.design == ()


def test_a_reading_that_does_not_apply_is_not_named():
    found = recommended(artifact_share=0.6, off_peak=NotApplicable("peak list"), gain=0.6)
    assert "a smooth gain carries 60 %" in found.ways[0][1]
    assert "outside peaks carries" not in found.ways[0][1]
