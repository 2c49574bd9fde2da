"""The least page to draw on: a canvas of the same size, and a text with the amount of ink."""

import streamlit as st
from streamlit_drawable_canvas import st_canvas

result = st_canvas(
    stroke_width=22,
    stroke_color="#ffffff",
    background_color="#000000",
    width=280,
    height=280,
    return_image_data=True,
    key="canvas",
)
pixels = result.image_data
st.text(f"ink: {0 if pixels is None else int(pixels[..., 0].sum())}")
