"""Pages on which a network is attacked."""
