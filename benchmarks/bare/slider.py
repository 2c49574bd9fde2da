"""The least page there is: a slider, and a text that shows its value."""

import streamlit as st

value = st.slider("Value", 0, 100, 0, key="value")
st.text(f"value: {value}")
