"""One computation for all who ask."""
