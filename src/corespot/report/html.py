"""Standalone HTML pages that work offline, and figures as plotly JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TypeAlias
from urllib.parse import quote

import pandas as pd
import plotly.graph_objects as go
import plotly.io
from plotly.offline import get_plotlyjs

from corespot.errors import StoreError
from corespot.io.artifacts import whole_file
from corespot.report.drawn import Drawn
from corespot.report.page_style import PRINT_SCRIPT, STYLE


@dataclass(frozen=True)
class Preformatted:
    """Text shown as typed, e.g. commands."""

    text: str


@dataclass(frozen=True)
class Link(Drawn):
    """A table cell that leads to another file of the project.

    Parameters
    ----------
    text : str
        What is shown.
    href : str
        Path relative to the page, with forward slashes.

    Raises
    ------
    ValueError
        If the path is none that stays on this disk.
    """

    text: str
    href: str

    def __post_init__(self) -> None:
        if ":" in self.href or self.href.startswith(("/", "\\")):
            raise ValueError(f"expected a path relative to the page, got {self.href!r}")

    @property
    def html(self) -> str:
        """The link, escaped."""
        return f'<a href="{escape(quote(self.href))}">{escape(self.text)}</a>'


@dataclass(frozen=True)
class Facts(Drawn):
    """Names and what they stand for, one below the other.

    Parameters
    ----------
    rows : sequence of (str, str)
        Shown literally.
    """

    rows: Sequence[tuple[str, str]]

    @property
    def html(self) -> str:
        """The list, escaped."""
        rows = "".join(
            f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in self.rows
        )
        return f"<dl class=facts>{rows}</dl>"


@dataclass(frozen=True)
class Beside:
    """Small figures that stand beside each other where there is room.

    Parameters
    ----------
    figures : sequence of Figure
        From left to right.
    """

    figures: Sequence[go.Figure]


#: What a section is made of: a paragraph, a table, figures, preformatted text, or own HTML.
Part: TypeAlias = "str | pd.DataFrame | go.Figure | Beside | Preformatted | Drawn"


@dataclass(frozen=True)
class Section:
    """A headed part of a page.

    Parameters
    ----------
    heading : str
        Its heading, also in the list of contents.
    parts : sequence of str, DataFrame, Figure, Preformatted or Drawn
        Its content, from top to bottom. Text is shown literally: markup in it is escaped.
    """

    heading: str
    parts: Sequence[Part]


def write_page(
    path: Path | str,
    title: str,
    sections: Sequence[Section],
    *,
    subtitle: str = "",
    lead: Drawn | None = None,
) -> None:
    """Write one HTML file that needs no network: plotly.js is inside, once.

    The page forbids itself every connection, so that it behaves offline as online.

    Parameters
    ----------
    path : path
        Written whole or not at all.
    title, subtitle : str
        Shown literally at the top.
    sections : sequence of Section
        From top to bottom.
    lead : Drawn, optional
        Stands above them and the list of contents.
    """
    with whole_file(path) as part:
        part.write_text("".join(_page(title, subtitle, sections, lead)), encoding="utf-8")


def save_figure_json(figure: go.Figure, path: Path | str) -> None:
    """Write a figure as plotly JSON, to be drawn later by `load_figure_json` or any plotly."""
    with whole_file(path) as part:
        part.write_text(plotly.io.to_json(figure, validate=True), encoding="utf-8")


def load_figure_json(path: Path | str) -> go.Figure:
    """Read a figure written by `save_figure_json`.

    Raises
    ------
    StoreError
        If the file is missing or holds no figure.
    """
    try:
        return plotly.io.from_json(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StoreError(f"{path} is missing; run `dvc repro` to make it") from None
    except (ValueError, TypeError, AttributeError) as error:
        raise StoreError(f"{path} holds no plotly figure ({error}); make it again") from None


def table_html(table: pd.DataFrame) -> str:
    """A table as escaped HTML, numbers right-aligned."""
    numeric = [pd.api.types.is_numeric_dtype(table[column]) for column in table.columns]
    head = "".join(
        f"<th{' class=n' if right else ''}>{escape(str(column))}</th>"
        for column, right in zip(table.columns, numeric, strict=True)
    )
    rows = []
    for values in table.itertuples(index=False, name=None):
        cells = "".join(
            f"<td{' class=n' if right else ''}>{_cell(value)}</td>"
            for value, right in zip(values, numeric, strict=True)
        )
        rows.append(f"<tr>{cells}</tr>")
    return (
        f"<div class=table><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _cell(value: object) -> str:
    return value.html if isinstance(value, Drawn) else escape(_cell_text(value))


def _cell_text(value: object) -> str:
    if value is None or value is pd.NA or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, float):
        return f"{value:.2f}" if 100 <= abs(value) < 1e6 else f"{value:.4g}"
    return str(value)


def _page(
    title: str, subtitle: str, sections: Sequence[Section], lead: Drawn | None
) -> Iterator[str]:
    # 'unsafe-inline' allows what is in this file; nothing else can be loaded or reached.
    policy = (
        "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
        "img-src data: blob:; font-src data:"
    )
    yield (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n"
    )
    drawn = (go.Figure, Beside)
    if any(isinstance(part, drawn) for section in sections for part in section.parts):
        yield f"<script>{get_plotlyjs()}</script>\n<script>{PRINT_SCRIPT}</script>\n"
    yield f"</head>\n<body>\n<main>\n<header><h1>{escape(title)}</h1>\n"
    if subtitle:
        yield f"<p class=subtitle>{escape(subtitle)}</p>\n"
    yield f"</header>\n{lead.html if lead else ''}\n"
    if len(sections) > 2:
        links = "".join(
            f'<li><a href="#section-{number}">{escape(section.heading)}</a></li>'
            for number, section in enumerate(sections, start=1)
        )
        yield f"<nav><ol>{links}</ol></nav>\n"
    for number, section in enumerate(sections, start=1):
        yield f'<section id="section-{number}">\n<h2>{escape(section.heading)}</h2>\n'
        for position, part in enumerate(section.parts):
            yield _part_html(part, f"figure-{number}-{position}") + "\n"
        yield "</section>\n"
    yield "</main>\n</body>\n</html>\n"


def _part_html(part: Part, div_id: str) -> str:
    if isinstance(part, go.Figure):
        drawn = plotly.io.to_html(
            part,
            include_plotlyjs=False,
            full_html=False,
            div_id=div_id,
            default_width="100%",
            default_height=f"{int(part.layout.height or 450)}px",
            config={"displaylogo": False, "responsive": True, "showSendToCloud": False},
        )
        return f"<figure>{drawn}</figure>"
    if isinstance(part, Beside):
        several = (_part_html(one, f"{div_id}-{at}") for at, one in enumerate(part.figures))
        return f"<div class=beside>{''.join(several)}</div>"
    if isinstance(part, pd.DataFrame):
        return table_html(part)
    if isinstance(part, Preformatted):
        return f"<pre>{escape(part.text)}</pre>"
    if isinstance(part, Drawn):
        return part.html
    return f"<p>{escape(part)}</p>"
