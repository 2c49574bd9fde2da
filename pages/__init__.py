"""The pages, one folder a section, and in `parts` what they are made of."""
