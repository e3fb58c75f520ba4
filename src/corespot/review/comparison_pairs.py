"""Sections of a comparison that set runs against each other: differences, sensitivity."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from corespot.errors import CorespotError
from corespot.evaluate.paired import PAIRED_METRICS, Resamples
from corespot.explain.compared import profile_correlations
from corespot.explain.profile import SensitivityProfile
from corespot.report.comparison_figures import ProfilesView, difference_plot, profiles_compared
from corespot.report.html import Part
from corespot.report.theme import colours_of
from corespot.review.comparison import METRIC_NAMES, PAIRED_SAID, PairedRuns, compare_runs
from corespot.review.paired_tables import differences, sentences, worded
from corespot.review.reported_run import ReportedRun

#: More curves than this hide each other.
MOST_OVERLAID = 2
#: What is drawn; tables hold every metric.
_DRAWN = "balanced_accuracy"


def paired_differences(runs: Sequence[ReportedRun], names: Sequence[str]) -> Iterator[Part]:
    """Every run against the first, over the patients that both have predicted."""
    reference, pairs, kept = runs[0], dict[str, PairedRuns](), dict[str, Resamples]()
    for one, name in zip(runs[1:], names[1:], strict=True):
        try:
            pairs[name] = compare_runs(reference.record, one.record, kept=kept)
        except CorespotError as error:
            yield f"{name} and {names[0]} were not paired: {error}."
    if not pairs:
        return
    yield f"Each run against {names[0]}. " + " ".join(sentences(pairs))
    drawn = pd.concat([differences(pair, name, _DRAWN) for name, pair in pairs.items()])
    yield difference_plot(drawn, colours_of(names), metric=METRIC_NAMES[_DRAWN], reference=names[0])
    rows = []
    for metric in PAIRED_METRICS:
        of_metric = [differences(pair, name, metric) for name, pair in pairs.items()]
        table = worded(pd.concat(of_metric, ignore_index=True))
        table.insert(1, "metric", METRIC_NAMES[metric])
        rows.append(table)
    yield pd.concat(rows, ignore_index=True)
    yield PAIRED_SAID


def profiles_over_each_other(runs: Sequence[ReportedRun], names: Sequence[str]) -> Iterator[Part]:
    """What the models go by, class by class: profiles of one energy, and how alike they are."""
    profiles: dict[str, SensitivityProfile] = {}
    for one, name in zip(runs, names, strict=True):
        try:
            profiles[name] = one.record.sensitivity()
        except CorespotError as error:
            yield f"Missing: {error}."
    if not profiles:
        return
    classes = list(dict.fromkeys(name for one in profiles.values() for name in one.classes))
    low = min(float(one.axis.mz[0]) for one in profiles.values())
    high = max(float(one.axis.mz[-1]) for one in profiles.values())
    # Of two classes the second profile is the first one upside down.
    for name in classes[: 1 if len(classes) == 2 else None]:
        view = ProfilesView(
            profiles, colours_of(names), name, low, high, stacked=len(profiles) > MOST_OVERLAID
        )
        yield profiles_compared(view)
        alike = profile_correlations(profiles, name)
        if not alike.empty:
            yield alike.assign(correlation=alike["correlation"].round(2))
    yield (
        "Correlation over all m/z bins; 1: the models look at the same, 0: at nothing in common, "
        "empty: the m/z axes differ. Models that look at the same can share the same artifact."
    )
