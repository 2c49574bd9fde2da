"""Adversarial examples on handwritten digits, in NumPy.

`core` knows nothing of the web page that stands on it. Its rooms, each above what it imports:

- `core.serving`: one computation for all who ask
- `core.presentation`: what is said and drawn of a result, and the course report
- `core.evaluation`: measurements of attacks; `core.training`: recipes to networks
- `core.attacks`: small changes that mislead a network
- `core.networks`: the networks and their files; `core.data`: images
- the ground, modules beside this file: the `Classifier` protocol, losses, measures, recipes

Images are rows of 784 pixels in [0, 1], 0 the black background; an ε is in the same unit.
"""
