"""The least page with a chart: one line of thirteen points."""

import plotly.graph_objects as go
import streamlit as st

epsilons = [step / 40 for step in range(13)]
st.plotly_chart(go.Figure(go.Scatter(x=epsilons, y=[each**2 for each in epsilons])))
