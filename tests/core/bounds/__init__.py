"""Tests of the bounds, and slow oracles for them."""
