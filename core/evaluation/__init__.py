"""What attacks make of networks, measured."""
