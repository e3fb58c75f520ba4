"""The report of a cohort check as aligned text for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from corespot.errors import Problem

#: Problems of one kind that are shown before the rest is counted.
MOST_SHOWN = 20
_WIDTH = 100


def render(
    folder: str, problems: Sequence[Problem], notes: Sequence[str], summary: Mapping[str, Any]
) -> str:
    """Summary, notes and problems as text.

    Parameters
    ----------
    folder : str
        What was checked.
    problems : sequence of Problem
        All of them; of each kind the first `MOST_SHOWN` are written out.
    notes : sequence of str
        What is allowed but worth knowing.
    summary : mapping
        From `corespot.io.cohort_summary.summarise`; may be empty.
    """
    verdict = f"{_count(len(problems), 'problem')} found" if problems else "OK"
    lines = [f"{folder}: {verdict}"]
    if summary:
        lines += ["", *_overview(summary), "", *_tma_table(summary)]
        for name, task in summary["tasks"].items():
            filters = ", ".join(
                f"{column} = {_plain(value)}" for column, value in task["where"].items()
            )
            title = f"task {name}: spots by {task['label']}{' where ' + filters if filters else ''}"
            lines += ["", *_class_table(title, task)]
        for column, counts in summary["labels"].items():
            lines += ["", *_class_table(f"spots by {column}", counts)]
    if notes:
        lines += ["", "Notes"]
        for note in notes:
            lines += _wrapped(note, "  - ")
    if problems:
        lines += _problem_lines(problems)
    return "\n".join(lines)


def _overview(summary: Mapping[str, Any]) -> list[str]:
    points = summary["points_per_spectrum"]
    spread = (
        f"{points['min']}"
        if points["min"] == points["max"]
        else f"{points['min']} to {points['max']} (median {points['median']:g})"
    )
    low, high = summary["mz_range"] or (float("nan"), float("nan"))
    rows = [
        (
            "spots",
            f"{summary['n_spots']} in {_count(summary['n_cores'], 'core')} of "
            f"{_count(summary['n_patients'], 'patient')} on {_count(summary['n_tmas'], 'TMA')}",
        ),
        (
            "spectra",
            f"{summary['n_spots'] + summary['n_background']} in "
            f"{_count(summary['n_files'], 'file')}, {summary['n_background']} without a row "
            "(background)",
        ),
        ("m/z", f"{low:.4f} to {high:.4f}, {spread} points a spectrum"),
        (
            "mode",
            f"{summary['mode']}, {summary['spectrum_type']}, "
            + ("one shared m/z axis" if summary["shared_axis"] else "no shared m/z axis"),
        ),
        ("empty", f"{summary['n_empty']} all-zero spectra"),
    ]
    if summary["zero_fraction"] is not None:
        rows.append(("zeros", f"{summary['zero_fraction']:.1%} of the intensities"))
    if summary["n_markers"] is not None:
        rows.append(("markers", f"{summary['n_markers']} in markers.csv"))
    return [f"  {name:<8} {text}" for name, text in rows]


def _tma_table(summary: Mapping[str, Any]) -> list[str]:
    header = ["TMA", "spots", "cores", "patients", "empty", "files"]
    rows = [
        [
            tma,
            str(counts["n_spots"]),
            str(counts["n_cores"]),
            str(counts["n_patients"]),
            str(counts["n_empty"]),
            str(len(counts["files"])),
        ]
        for tma, counts in summary["tmas"].items()
    ]
    return _aligned([header, *rows])


def _class_table(title: str, counts: Mapping[str, Any]) -> list[str]:
    classes = list(counts["in_all"]["spots"])
    rows = [["TMA", *classes, "total"]]
    for tma, row in counts["spots_per_tma"].items():
        rows.append([tma, *(str(row[name]) for name in classes), str(sum(row.values()))])
    totals = [
        [f"all {unit}" if unit == "spots" else unit, *(str(row[name]) for name in classes), ""]
        for unit, row in counts["in_all"].items()
    ]
    totals[0][-1] = str(sum(counts["in_all"]["spots"].values()))
    body = _aligned([*rows, *totals])
    rule = "  " + "-" * (max(map(len, body)) - 2)
    return [f"  {title}", *body[: len(rows)], rule, *body[len(rows) :]]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """First column to the left, numbers to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        (
            "  "
            + "  ".join(
                cell.ljust(width) if i == 0 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
        ).rstrip()
        for row in rows
    ]


def _problem_lines(problems: Sequence[Problem]) -> list[str]:
    kinds: dict[str, list[Problem]] = {}
    for problem in problems:
        kinds.setdefault(problem.code, []).append(problem)
    lines = []
    for code, members in kinds.items():
        lines += ["", f"{code} ({len(members)})"]
        for place, remedies in _by_advice(members[:MOST_SHOWN]):
            lines += [line for text in remedies for line in _wrapped(text, "  - ")]
            lines += _wrapped(f"expected: {place[0]}", "    ")
            lines += _wrapped(f"to do: {place[1]}", "    ")
        if len(members) > MOST_SHOWN:
            lines.append(f"  … and {len(members) - MOST_SHOWN} more (--json lists all)")
    return lines


def _by_advice(members: Iterable[Problem]) -> list[tuple[tuple[str, str], list[str]]]:
    """Problems with the same expectation and remedy together, so that it is said once."""
    grouped: dict[tuple[str, str], list[str]] = {}
    for problem in members:
        advice = (problem.expected, problem.remedy)
        grouped.setdefault(advice, []).append(f"{problem.where}: {problem.found}")
    return list(grouped.items())


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=" " * (len(indent) + 2),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _plain(value: object) -> str:
    return " or ".join(map(str, value)) if isinstance(value, list) else str(value)


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
