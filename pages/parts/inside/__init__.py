"""Views inside the network and the attack, below the instrument on Draw."""
