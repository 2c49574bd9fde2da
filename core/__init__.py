"""Adversarial examples on handwritten digits, in NumPy.

`core` knows nothing of the web page that stands on it. Where to look:

=====================  ==================================================================
`core.digits`          MNIST as arrays
`core.recipe`          all that decides a training run
`core.training`        training as a generator of epoch reports, with two engines
`core.models`          trained networks as files
`core.classifier`      the protocol that everything below asks for, and nothing more
`core.mlp`             the report's kind of network
`core.torch_classifier`  any `torch.nn.Module` as a classifier
`core.losses`          cross-entropy, and the gradient that does not vanish
`core.attacks`         FGSM, PGD and their kin, DeepFool, Carlini–Wagner, JSMA, and noise
`core.path`            one image under every budget, and where its prediction flips
`core.measures`        accuracy, evasion rate, norms
`core.evaluation`      an attack on many images, and curves over ε
`core.mistakes`        what each digit is taken for
`core.explanations`    which pixels moved a decision
`core.trust`           whether such figures can be trusted
`core.report`          the course report beside a network
`core.pictures`        picture files to white ink on black
`core.drawing`         a drawing to what MNIST would have made of it
`core.figures`         charts
=====================  ==================================================================

Images are rows of 784 pixels in [0, 1], 0 the black background; budgets are in the same unit.
"""
