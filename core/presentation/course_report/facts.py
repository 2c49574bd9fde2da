"""The course report's figures and claims, as data.

A student wrote the report in April 2024 for a course on network and system security.
"""

from dataclasses import dataclass

from core.networks import LoggedEpoch

# The data and the network

TRAINING_IMAGES, TEST_IMAGES = 60_000, 10_000
FOLDERS = ("train data", "test data")
LAYERS = (784, 128, 64, 10)
ACTIVATION = "ReLU"
LOSS = "cross-entropy"
OPTIMIZER = "SGD"
BATCH_SIZE = 1
LEARNING_RATE = 0.01
EPOCHS = 20

# The trained network's accuracies, in [0, 1]; validation and test use the same images.
TRAIN_ACCURACY = 0.9955
VALIDATION_ACCURACY = 0.9747
TEST_ACCURACY = 0.9747

# Figure 1 (and as a chart, Figure 2): each epoch's loss and accuracy in training and validation.
_LOG = (
    (0.3238, 0.8964, 0.1940, 0.9383),
    (0.1332, 0.9589, 0.1311, 0.9568),
    (0.0959, 0.9690, 0.1140, 0.9656),
    (0.0747, 0.9758, 0.1268, 0.9626),
    (0.0583, 0.9809, 0.1263, 0.9643),
    (0.0455, 0.9847, 0.1065, 0.9716),
    (0.0385, 0.9880, 0.1218, 0.9679),
    (0.0356, 0.9884, 0.1066, 0.9739),
    (0.0311, 0.9895, 0.1151, 0.9741),
    (0.0257, 0.9914, 0.1143, 0.9756),
    (0.0239, 0.9916, 0.1415, 0.9783),
    (0.0208, 0.9932, 0.1353, 0.9729),
    (0.0252, 0.9916, 0.1174, 0.9751),
    (0.0178, 0.9944, 0.1265, 0.9741),
    (0.0208, 0.9937, 0.1588, 0.9669),
    (0.0200, 0.9937, 0.1892, 0.9657),
    (0.0211, 0.9933, 0.1395, 0.9756),
    (0.0124, 0.9958, 0.1276, 0.9763),
    (0.0142, 0.9954, 0.1296, 0.9767),
    (0.0152, 0.9955, 0.1457, 0.9747),
)
LOG = tuple(LoggedEpoch(1, epoch, *row) for epoch, row in enumerate(_LOG, start=1))

# The attack

EVASION_RATE = 0.7213  # misclassified adversarial examples / all examples


@dataclass(frozen=True)
class Mistaken:
    """What the report says of one digit's adversarial examples (its Figure 5).

    Attributes:
        digit: the true digit.
        label: what they are most often taken for; None if the report says that none is
            misclassified.
        explanation: the report's reason in our words; empty if there is nothing to explain.
        similar_half: "upper" or "lower" if the report says that these halves look similar.
    """

    digit: int
    label: int | None
    explanation: str
    similar_half: str = ""


MISTAKEN = (
    Mistaken(0, 9, "Both are round; only the tail of the 9 differs."),
    Mistaken(1, 3, "Both have vertical strokes; the 3 also has a horizontal one."),
    Mistaken(2, 7, "Their upper halves have similar curves; the 2 also has a base line.", "upper"),
    Mistaken(3, 0, "Both consist of round shapes, most of all if the top of the 3 is drawn badly."),
    Mistaken(4, None, ""),
    Mistaken(5, 7, "Their upper halves have similar curves and a horizontal stroke.", "upper"),
    Mistaken(6, 8, "Their lower halves are similar; the 6 has no upper loop.", "lower"),
    Mistaken(7, 3, "Both have vertical strokes; the 3 also has a horizontal one."),
    Mistaken(8, 2, "Both begin with a curve at the top; the 8 is more symmetrical.", "upper"),
    Mistaken(9, 4, "Both have a round part; the tail of the 9 differs."),
)

# The remedies that the report recommends for robustness but does not try, by their names in the
# report, and the recipes that follow them (see `core.recipe.PRESETS`).
RECOMMENDATIONS = {
    "Data augmentation: rotation, translation, scaling, flipping": ("augmentation",),
    "Dropout": ("dropout",),
    "L2 weight decay": ("weight-decay",),
    "A learning-rate schedule, or Adam": ("schedule", "adam"),
    "Early stopping": ("early-stopping",),
    "Several networks that decide together": ("ensemble",),
    "Transfer learning": ("transfer",),
    "Batch normalisation": ("batch-norm",),
}
