"""A figure with its words beside it: a heading, the figure, and how to read it."""

from __future__ import annotations

import streamlit as st

from app.parts import shown
from corespot.report.captioned import Captioned


def exhibit(parts: Captioned | None, key: str, *, more: str = "") -> None:
    """Draw a figure, its title above it and its subtitle beneath, where text wraps.

    Parameters
    ----------
    parts : Captioned, optional
        The figure and its words; nothing is drawn where there is none.
    key : str
        Names it within the page.
    more : str
        Our own sentence, read as Markdown, after how to read the figure.
    """
    if parts is None:
        return
    st.markdown(f"**{shown.literal(parts.title)}**")
    shown.figure(parts.figure, key, alt=f"{parts.title}. {parts.text}".strip())
    words = shown.literal(parts.text[:1].upper() + parts.text[1:]) + ("." if parts.text else "")
    if words or more:
        st.caption(" ".join(part for part in (words, more) if part))
