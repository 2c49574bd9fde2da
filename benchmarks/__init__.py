"""What is claimed about speed, measured beside the peers in one run."""
