"""What tests of several pages need."""

import gc
from collections.abc import Iterator

import pytest
import streamlit as st


@pytest.fixture
def fresh_caches() -> Iterator[None]:
    """Nothing that another test cached, and no computation that goes on for nobody."""
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()
    gc.collect()
