from dataclasses import replace

from core.evaluation.sanity import Rounding, Sanity, Vanished
from core.presentation.sanity import verdicts

FOUND = Sanity(
    images=1000,
    epsilon=0.1,
    noise=31,
    fgsm=508,
    fgsm_float32=326,
    pgd=((0.05, 152), (0.1, 784), (0.2, 999)),
    pgd_unbounded=1000,
    fgsm_rounding=Rounding(misled=1234, survive=1100),
    pgd_rounding=Rounding(misled=748, survive=747),
    exact=Vanished(label_term=0, pixels=3, either=3),
    float32=Vanished(label_term=640, pixels=17, either=641),
    passed={
        "noise": True,
        "steps": True,
        "budget": True,
        "unbounded": True,
        "gradient": True,
        "float32_gradient": False,
        "float32_attack": False,
        "rounding": False,
    },
)


def test_each_check_has_its_verdict_and_its_numbers() -> None:
    found = verdicts(FOUND)
    assert [verdict.passed for verdict in found] == list(FOUND.passed.values())
    assert len({verdict.title for verdict in found}) == len(FOUND.passed)
    for verdict, numbers in zip(
        found,
        [
            ("ε = 0.1", "3.1\xa0%", "50.8\xa0%", "1,000 images"),
            ("50.8\xa0%", "78.4\xa0%", "1,000 images"),
            ("15.2\xa0% at ε = 0.05, 78.4\xa0% at ε = 0.1, 99.9\xa0% at ε = 0.2", "1,000 images"),
            ("100.0\xa0%", "95.0\xa0%", "1,000 images"),
            (
                "3 of a sample of 1,000 images (0.3\xa0%)",
                "0 of a sample of 1,000 images (0.0\xa0%)",
            ),
            (
                "640 of a sample of 1,000 images (64.0\xa0%)",
                "17 of a sample of 1,000 images (1.7\xa0%)",
            ),
            ("32.6\xa0%", "50.8\xa0%", "1,000 images"),
            ("ε = 0.1", "1,234", "1,100", "748", "747", "90\xa0%"),
        ],
        strict=True,
    ):
        assert verdict.meaning
        for number in numbers:
            assert number in verdict.finding


def test_a_gradient_that_is_0_nowhere_is_not_spoken_of() -> None:
    complete = replace(FOUND, exact=Vanished(label_term=12, pixels=0, either=12))
    finding = verdicts(complete)[list(FOUND.passed).index("gradient")].finding
    assert "12 of a sample of 1,000 images (1.2\xa0%)" in finding
    assert "0 of" not in finding
