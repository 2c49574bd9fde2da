"""See the folder of that name."""
