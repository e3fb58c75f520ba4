"""How things from outside are shown: literally, with words beside colours, to be taken away."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any, Literal, ParamSpec

import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from pandas.io.formats.style import Styler

from app.data.runs import LoggedRun
from corespot.errors import CorespotError
from corespot.report.drawn import Drawn
from corespot.report.verdict_badge import VerdictBadge, is_verdict, verdict_text

P = ParamSpec("P")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~$:&])")
#: What Markdown makes a link of even where every sign of it is escaped.
_ADDRESS = re.compile(r"(?i)(?<=http|ttps)(?=://)|(?<=www)(?=\.)|(?=@)")
#: Takes no room and shows nothing, but parts an address.
_JOINER = "\u2060"
#: Settings of every figure; text in them never leads anywhere.
PLOT = {"displaylogo": False, "scrollZoom": False, "showSendToCloud": False}


def literal(text: object) -> str:
    """Text from outside for a label or a paragraph, where Streamlit would read Markdown in it."""
    plain = _ADDRESS.sub(_JOINER, str(text).replace("\n", " "))
    return _MARKDOWN.sub(r"\\\1", plain)


@contextmanager
def told() -> Iterator[None]:
    """Show an expected error as a message, in the place where it arose."""
    try:
        yield
    except CorespotError as error:
        st.error(literal(error), icon=":material/error:")


def own_part(draw: Callable[P, None]) -> Callable[P, None]:
    """Make of a function a part of the page that runs again alone when its widgets are used.

    What it draws must be of no concern to the rest of the page. Errors are told in its place.
    """

    @st.fragment
    @wraps(draw)
    def drawn_alone(*given: P.args, **options: P.kwargs) -> None:
        with told():
            draw(*given, **options)

    return drawn_alone


def figure(drawn: go.Figure, key: str, *, alt: str | None = None) -> None:
    """Draw a figure in its own look.

    Parameters
    ----------
    drawn : Figure
        The figure, texts from outside escaped by `corespot.report.theme.plain`.
    key : str
        Names it within the page.
    alt : str, optional
        What it shows, for those who cannot see it; its title if not given.
    """
    st.plotly_chart(drawn, theme=None, key=key, config=PLOT, alt=alt or _title(drawn))


def figure_to_select_in(
    drawn: go.Figure,
    key: str,
    *,
    mode: Literal["points", "box"] | Sequence[Literal["points", "box"]],
    alt: str | None = None,
    on_select: Callable[[], None] | None = None,
) -> Any:
    """Draw a figure in which points or a stretch can be selected; a selection runs the page again.

    Parameters
    ----------
    drawn, key, alt
        As for `figure`.
    mode : {"points", "box"} or several of them
        What can be selected.
    on_select : callable, optional
        Called before the page runs again; ``st.session_state[key]`` holds the selection.

    Returns
    -------
    mapping
        ``selection`` with ``points`` and ``box``, as Streamlit gives it.
    """
    return st.plotly_chart(
        drawn,
        theme=None,
        key=key,
        config=PLOT,
        alt=alt or _title(drawn),
        on_select=on_select or "rerun",
        selection_mode=[mode] if isinstance(mode, str) else list(mode),
    )


def table(
    shown: pd.DataFrame | Styler,
    name: str,
    *,
    whole: pd.DataFrame | None = None,
    **options: Any,
) -> Any:
    """A table with buttons that give it as CSV and as parquet; returns what `st.dataframe` does.

    Parameters
    ----------
    shown : DataFrame or Styler
        What is seen.
    name : str
        Name of the files, and within the page.
    whole : DataFrame, optional
        What the files hold, if it is other than what is seen.
    options : Any
        For `st.dataframe`.
    """
    selected = st.dataframe(shown, hide_index=True, **options)
    # What pandas' type stubs do not know: a Styler holds its table as `data`.
    seen = shown if isinstance(shown, pd.DataFrame) else shown.data  # type: ignore[attr-defined]
    take = seen if whole is None else whole
    with st.container(horizontal=True, horizontal_alignment="right"):
        st.download_button(
            "CSV",
            lambda: take.to_csv(index=False).encode(),
            f"{file_name(name)}.csv",
            "text/csv",
            key=f"{name}-csv",
            type="tertiary",
            icon=":material/download:",
            on_click="ignore",
        )
        st.download_button(
            "parquet",
            lambda: _parquet(take),
            f"{file_name(name)}.parquet",
            "application/vnd.apache.parquet",
            key=f"{name}-parquet",
            type="tertiary",
            icon=":material/download:",
            on_click="ignore",
        )
    return selected


def drawn(part: Drawn) -> None:
    """HTML of our own, in which everything from outside is escaped already."""
    st.html(part.html)


def verdict(word: str, *, large: bool = False) -> None:
    """A verdict as colour and word; says so where there was no audit."""
    if is_verdict(word):
        drawn(VerdictBadge(word, large=large))
    else:
        st.caption("not audited")


def run_label(run: LoggedRun) -> str:
    """A run in one line of plain text: name, verdict, time, the beginning of its identifier."""
    parts = [run.name]
    word = verdict_text(run.tags.get("audit.verdict", ""), None)
    parts.append(word if word != "—" else "not audited")
    if run.status != "FINISHED":
        parts.append(run.status.lower())
    if run.started:
        parts.append(f"{run.started:%d %b %Y %H:%M}")
    return "  ·  ".join([*parts, run.run_id[:8]])


def file_name(text: str) -> str:
    """A name that no file system takes for a path or a command."""
    return re.sub(r"[^\w.-]+", "_", text).strip("._") or "table"


def _title(drawn: go.Figure) -> str:
    return re.sub(r"<[^>]*>", "", str(drawn.layout.title.text or "figure"))


def _parquet(taken: pd.DataFrame) -> bytes:
    stream = io.BytesIO()
    taken.to_parquet(stream, index=False)
    return stream.getvalue()
