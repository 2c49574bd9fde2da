"""Views inside the network, below the instrument on Draw."""
