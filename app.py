"""Page configuration and navigation; `streamlit run app.py` starts here."""

import streamlit as st

from pages.parts.address import address_followed
from pages.parts.failures import failures_explained
from pages.parts.guard import guard
from pages.parts.history import choose_steps
from pages.parts.share import show_share

guard()
st.set_page_config(page_title="Small Change", page_icon="pages/icon.png", layout="wide")
# Streamlit leaves six empty lines above a page. On a projector every line counts.
# What chooses the steps for Back shows nothing and would leave a gap; so would the browser's code.
# No colour is light enough to be read on a dark page and dark enough for white letters on it, so
# the primary colour is for areas alone. Streamlit's mark of the focus on a link to a page is a
# shade that can hardly be seen.
st.html(
    "<style>.stMainBlockContainer { padding-top: 3.5rem; padding-bottom: 3rem; }"
    ".stMain h1 { padding-top: 0.75rem; } .stMain h2 { padding-top: 0.375rem; }"
    ".st-key-history, .st-key-explorer_code { display: none; }"
    ".stMain [data-testid=stSliderThumbValue], .stMain .stButtonGroup button[data-selected=true]"
    " { color: inherit; }"
    "[data-testid=stTopNavLink]:focus-visible, [data-testid=stSidebarNavLink]:focus-visible"
    " { outline: 3px solid currentColor; outline-offset: -3px; }"
    # Streamlit's grey for charts is pale. The map's words lie on a light ground in both themes.
    ".js-plotly-plot :is(.xtick, .ytick, .x2tick, .y2tick, .legend, [class$=title]) text,"
    " .js-plotly-plot [class$=title], .js-plotly-plot:not(.st-key-map_chart *) .annotation text"
    " { fill: currentColor !important; }"
    # In the bar above the page, clear of the menu and of Streamlit's sign that it runs.
    ":has(> .st-key-share) { position: absolute; }"
    ".st-key-share { position: fixed; top: 0.6rem; right: 9rem; width: auto; z-index: 999991; }"
    "</style>"
)
page = st.navigation(
    [
        # Each but Draw needs a file in pages/ for the first visit after a start. Streamlit ignores
        # the number before a file's name; without it, tools would take test_set.py for a test.
        st.Page("pages/course/lesson.py", title="Lesson"),
        st.Page("pages/attack/draw.py", title="Draw", default=True),
        st.Page("pages/attack/whole_test_set.py", title="Test set", url_path="test_set"),
        st.Page("pages/attack/transfer.py", title="Transfer"),
        st.Page("pages/training/train.py", title="Train"),
        st.Page("pages/training/remedies.py", title="Remedies"),
        st.Page("pages/course/report.py", title="Course report"),
    ],
    position="top",
)
# The first call, before the navigation, sets the icon: Streamlit would load one from elsewhere.
st.set_page_config(page_title=f"{page.title} – Small Change")
share_place = st.container(key="share")
choose_steps()  # before the page, whose first run may take long
with failures_explained(page.title), address_followed(page.title):
    page.run()
with share_place:  # after the page, which then needs no longer for it
    show_share()
