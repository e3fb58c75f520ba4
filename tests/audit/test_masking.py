"""What models of known working lose when bins outside peaks are wiped out."""

from __future__ import annotations

import numpy as np
import pytest

from corespot.audit.applicable import NotApplicable
from corespot.audit.indicators.masking import MaskingDrop, balanced_accuracy, masking_drop
from corespot.audit.shares.peak_mask import PeakMask
from corespot.cohort.positions import SpotPositions
from corespot.errors import ModelError

MASK = PeakMask(np.array([True, False, False]), np.ones(3))
MEAN = np.array([1.0, 2.0, 3.0])
CLASSES = ("A", "B")


class Reads:
    """Says B where one bin exceeds its training mean."""

    classes_ = np.array(["B", "A"])

    def __init__(self, at):
        self.at = at

    def decision_scores(self, X, positions=None):
        high = X[:, self.at] - MEAN[self.at]
        return np.stack([high, -high], axis=1)


@pytest.fixture
def spots():
    y = np.arange(40) % 2
    x = np.tile(MEAN, (40, 1)) + np.where(y[:, None] == 1, 0.5, -0.5)
    return x.astype(np.float32), y


def drop(model, spots, **more):
    x, y = spots
    return masking_drop(model, x, y, CLASSES, mean_spectrum=MEAN, mask=MASK, **more)


def test_a_model_of_a_peak_loses_nothing(spots):
    assert drop(Reads(0), spots) == MaskingDrop(1.0, 1.0)


def test_a_model_of_the_baseline_loses_everything(spots):
    found = drop(Reads(2), spots)
    assert isinstance(found, MaskingDrop)
    assert found.as_dict() == {
        "balanced_accuracy": 1.0,
        "masked_balanced_accuracy": 0.5,
        "drop": 0.5,
    }


def test_spectra_stay_as_they_are_and_places_are_passed_on(spots):
    x, y = spots
    before = x.copy()
    positions = SpotPositions(np.repeat(["C1", "C2"], 20), np.arange(40) % 20, np.zeros(40, int))
    assert drop(Reads(2), (x, y), places={"positions": positions}) == drop(Reads(2), spots)
    np.testing.assert_array_equal(x, before)


def test_where_nothing_lies_outside_peaks_there_is_no_drop(spots):
    x, y = spots
    everything = PeakMask(np.ones(3, dtype=bool), np.zeros(3))
    found = masking_drop(Reads(0), x, y, CLASSES, mean_spectrum=MEAN, mask=everything)
    assert isinstance(found, NotApplicable)


def test_a_class_without_spots_has_no_balanced_accuracy(spots):
    x, y = spots
    found = drop(Reads(0), (x[y == 1], y[y == 1]))
    assert isinstance(found, NotApplicable) and "class A" in found.reason


def test_another_axis_is_refused(spots):
    x, y = spots
    with pytest.raises(ModelError, match="do not lie on one axis"):
        masking_drop(Reads(0), x[:, :2], y, CLASSES, mean_spectrum=MEAN, mask=MASK)


def test_balanced_accuracy_weighs_classes_alike():
    y = np.array([0, 0, 0, 0, 1, 1, 2])
    assert balanced_accuracy(y, np.array([0, 0, 0, 1, 1, 2, 2])) == pytest.approx(
        (0.75 + 0.5 + 1) / 3
    )
    # A class that is named but does not occur is an error of its, not a class to be averaged.
    assert balanced_accuracy(np.array([0, 0, 1]), np.array([0, 3, 1])) == pytest.approx(0.75)
