"""Adversarial examples on handwritten digits, in NumPy.

`core` does not depend on the web page. Each of its packages imports only those further down:

- `core.serving`: long computations, each done once for everybody who asks for it
- `core.presentation`: sentences and charts, and the course report
- `core.evaluation`: measurements of attacks; `core.training`: training by a recipe
- `core.attacks`: small changes that mislead a network
- `core.networks`: the networks and their files; `core.data`: images
- the modules beside this file: the `Classifier` protocol, losses, measures, recipes

Images are rows of 784 pixels in [0, 1], 0 the black background; an ε is in the same unit.
"""
