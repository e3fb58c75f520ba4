"""Routes the review app: one page a view, deep links, errors in words. Nothing else is here."""

from __future__ import annotations

import sys
from pathlib import Path

import streamlit as st

# Streamlit puts only this folder on the path, and the package `app` lies one above.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from app.parts.ahead import load_ahead
from app.parts.shown import told

#: Address of each view, its title and its icon, in the order of the menu.
VIEWS = {
    "overview": ("Overview", ":material/list:"),
    "compare": ("Compare", ":material/compare_arrows:"),
    "sensitivity": ("Sensitivity", ":material/ssid_chart:"),
    "confounding": ("Confounding", ":material/flag:"),
    "tissue": ("Tissue", ":material/grid_view:"),
    "studies": ("Studies", ":material/tune:"),
    "cohort": ("Data", ":material/dataset:"),
    "decision": ("Decision", ":material/gavel:"),
}


#: Streamlit leaves a hand's breadth free above and below a page.
_STYLE = """<style>
[data-testid="stMainBlockContainer"] { padding-top: 4.2rem; padding-bottom: 2rem; }
[data-testid="stMainBlockContainer"] h1 { padding-top: 0.4rem; font-size: 2rem; }
[data-testid="stMainBlockContainer"] h2 { font-size: 1.45rem; }
[data-testid="stMainBlockContainer"] h3 { font-size: 1.25rem; }
/* All eight views stay in reach on a tablet. */
@media (max-width: 900px) {
  [data-testid="stTopNavLink"] [data-testid="stIconMaterial"] { display: none; }
}
</style>"""


def main() -> None:
    """Show the view that the menu or a deep link (``?view=…&run=…``) asks for."""
    # An icon by name would be fetched from the network.
    icon = str(Path(__file__).with_name("icon.png"))
    st.set_page_config(page_title="corespot review", page_icon=icon, layout="wide")
    pages = {
        name: st.Page(
            f"views/{name}.py", title=title, icon=icon, url_path=name, default=name == "overview"
        )
        for name, (title, icon) in VIEWS.items()
    }
    page = st.navigation(list(pages.values()), position="top")
    st.html(_STYLE)
    wanted = st.query_params.get("view")
    if wanted is not None:
        query = {key: value for key, value in st.query_params.to_dict().items() if key != "view"}
        if wanted in pages:
            st.switch_page(pages[wanted], query_params=query)
        st.query_params.from_dict(query)
        st.warning(f"There is no view of this name. Views: {', '.join(VIEWS)}.")
    with told():
        page.run()
    st.caption("Research use only. Not a medical device.")
    load_ahead()


main()
