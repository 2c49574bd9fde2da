"""Pages on which networks are trained and compared."""
