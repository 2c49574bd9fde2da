"""Page configuration and navigation; `streamlit run app.py` starts here."""

import logging

import streamlit as st

st.set_page_config(page_title="Small Change", page_icon="pages/icon.png", layout="wide")
# Streamlit leaves six empty lines above a page; on a projector they are wanted below.
st.html("<style>.stMainBlockContainer { padding-top: 3.5rem; padding-bottom: 3rem; }</style>")
page = st.navigation(
    [
        st.Page("pages/attack/draw.py", title="Draw", default=True),
        # Each of these needs a file of its name in pages/, for the first visit after a start.
        st.Page("pages/training/train.py", title="Train"),
        st.Page("pages/training/remedies.py", title="Remedies"),
    ],
    position="top",
)
try:
    page.run()
except Exception:
    logging.getLogger(__name__).exception("The page %s failed", page.title)
    st.error(
        "Something went wrong on our side; the server's log says what. Your drawing and settings "
        "are kept: try another attack or another digit."
    )
