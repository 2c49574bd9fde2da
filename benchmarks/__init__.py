"""What is claimed about speed and quality, measured beside the peers in one run."""
