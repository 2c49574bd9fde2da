"""Tests of the benchmarks, where they compute or keep something."""
