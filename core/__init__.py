"""Adversarial examples on handwritten digits, in NumPy.

`core` knows nothing of the web page that stands on it. Where to look:

=====================  ==================================================================
`core.data.mnist`          MNIST as arrays
`core.recipe`          all that decides a training run
`core.training`        training as a generator of epoch reports, with two engines
`core.networks`        perceptrons, ensembles, their files, the shared library
`core.classifier`      the protocol that everything below asks for, and nothing more
`core.networks.torch_module`  any `torch.nn.Module` as a classifier
`core.losses`          cross-entropy, and the gradient that does not vanish
`core.attacks`         FGSM, PGD and their kin, DeepFool, Carlini–Wagner, JSMA, and noise
`core.evaluation.path`            one image under every budget, and where its prediction flips
`core.measures`        accuracy, evasion rate, norms
`core.evaluation.rates`      an attack on many images, and curves over ε
`core.evaluation.confusion`        what each digit is taken for
`core.evaluation.attribution`    which pixels moved a decision
`core.evaluation.sanity`           whether such figures can be trusted
`core.presentation.course_report`          the course report beside a network
`core.data.pictures`        picture files to white ink on black
`core.data.drawing`         a drawing to what MNIST would have made of it
`core.presentation.charts`         charts
=====================  ==================================================================

Images are rows of 784 pixels in [0, 1], 0 the black background; budgets are in the same unit.
"""
