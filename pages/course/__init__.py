"""Pages about the course report."""
