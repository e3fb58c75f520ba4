"""cohort."""

from __future__ import annotations

import streamlit as st

from app import chosen


def main() -> None:
    """Show the view."""
    st.title("cohort")
    run = chosen.one_run()
    st.text(run.name)


if __name__ == "__main__":
    main()
