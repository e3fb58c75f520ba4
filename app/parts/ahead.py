"""What a browser needs to draw figures, loaded while the first page is looked at."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import streamlit as st

#: Parts of Streamlit that a browser otherwise loads, for a second, when the first figure and the
#: first command are drawn.
_PARTS = ("PlotlyChart", "StreamlitSyntaxHighlighter")
#: Ours alone: nothing from outside is in it.
_SCRIPT = """<script>
const beside = document.querySelector('script[type=module][src*="/static/js/"]')?.src;
const load = () => { for (const name of %s) import(new URL(name, beside)); };
if (beside) setTimeout(() => (window.requestIdleCallback ?? setTimeout)(load), 1000);
</script>"""


def load_ahead() -> None:
    """Have the browser load what draws figures as soon as it has nothing else to do."""
    found = _names()
    if found:
        st.html(_SCRIPT % list(found), unsafe_allow_javascript=True)


@lru_cache(maxsize=1)
def _names() -> tuple[str, ...]:
    """File names in this version of Streamlit; a name that does not lead there is left out."""
    folder = Path(st.__file__).parent / "static" / "static" / "js"
    return tuple(path.name for part in _PARTS for path in folder.glob(f"{part}.*.js"))
