from dataclasses import replace

from core.evaluation.outputs import Derivatives, Outputs, Vanished
from core.evaluation.sanity import Beyond, Climb, Rounding, Sanity
from core.presentation.sanity import Verdict, verdicts

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
    climb=Climb(higher=998, rise=20.0, late=1.5),
    beyond=Beyond(withstood=216, tried=200, found=50),
    outputs=Outputs(correct=976, confidence=0.9969, probabilities=0),
    derivatives=Derivatives(gradient=997, random=996),
    exact=Vanished(label_term=0, pixels=3, either=3),
    float32=Vanished(label_term=640, pixels=17, either=641),
    passed={
        "noise": True,
        "steps": True,
        "budget": True,
        "unbounded": True,
        "loss": True,
        "converged": True,
        "logits": True,
        "derivatives": True,
        "gradient": True,
        "float32_gradient": False,
        "float32_attack": False,
        "rounding": False,
    },
)
SAID = {  # the numbers of each check, in the order of the sentences
    "noise": ("ε = 0.1", "3.1\xa0%", "50.8\xa0%", "1,000 images"),
    "steps": ("50.8\xa0%", "78.4\xa0%", "1,000 images"),
    "budget": (
        "15.2\xa0% at ε = 0.05, 78.4\xa0% at ε = 0.1, 99.9\xa0% at ε = 0.2",
        "1,000 images",
    ),
    "unbounded": ("100.0\xa0%", "95.0\xa0%", "1,000 images"),
    "rounding": ("ε = 0.1", "1,234", "1,100", "748", "747", "90\xa0%"),
    "loss": ("ε = 0.1", "998 of a sample of 1,000 images (99.8\xa0%)", "95.0\xa0%"),
    "converged": ("ε = 0.1", "7.5\xa0%", "20.0\xa0%"),
    "logits": ("976 images", "99.7\xa0%", "75.0\xa0%"),
    "derivatives": (
        "997 of a sample of 1,000 images (99.7\xa0%)",
        "996 of a sample of 1,000 images (99.6\xa0%)",
        "95.0\xa0%",
    ),
    "gradient": (
        "3 of a sample of 1,000 images (0.3\xa0%)",
        "0 of a sample of 1,000 images (0.0\xa0%)",
    ),
    "float32_gradient": (
        "640 of a sample of 1,000 images (64.0\xa0%)",
        "17 of a sample of 1,000 images (1.7\xa0%)",
    ),
    "float32_attack": ("32.6\xa0%", "50.8\xa0%", "1,000 images"),
}


def of(found: Sanity, name: str) -> Verdict:
    return verdicts(found)[list(SAID).index(name)]


def test_each_check_has_its_verdict_and_its_numbers() -> None:
    assert set(SAID) == set(FOUND.passed)
    *checks, last = verdicts(FOUND)
    assert [check.kind == "holds" for check in checks] == [FOUND.passed[name] for name in SAID]
    assert len({check.title for check in checks}) == len(SAID)
    for check, numbers in zip(checks, SAID.values(), strict=True):
        assert check.meaning
        for number in numbers:
            assert number in check.finding
    assert last.kind == "lower bound"


def test_what_pgd_misses_is_a_lower_bound_and_no_failed_check() -> None:
    last = verdicts(FOUND)[-1]  # 216 of 1,000 withstand, a quarter of those tried does not
    assert last.kind == "lower bound"
    assert "about 5 points" in last.title
    for number in ("ε = 0.1", "216 of", "1,000", "50 of 200", "about 5 "):
        assert number in last.finding
    all_tried = verdicts(replace(FOUND, beyond=Beyond(withstood=120, tried=120, found=12)))[-1]
    assert "1.2 points" in all_tried.title
    assert "12 of 120" in all_tried.finding
    assert "about" not in all_tried.finding


def test_a_pgd_that_misses_little_is_within_a_point() -> None:
    for beyond in (Beyond(0, 0, 0), Beyond(200, 200, 10), Beyond(800, 200, 2)):
        assert verdicts(replace(FOUND, beyond=beyond))[-1].kind == "holds"


def test_outputs_that_are_probabilities_are_counted() -> None:
    assert "sum of 1" not in of(FOUND, "logits").finding
    outputs = Outputs(correct=976, confidence=0.2317, probabilities=1000)
    finding = of(replace(FOUND, outputs=outputs), "logits").finding
    assert "23.2\xa0%" in finding
    assert "1,000 of a sample of 1,000 images" in finding


def test_of_a_loss_that_does_not_rise_no_share_is_said() -> None:
    for climb in (Climb(0, 0.0, 0.0), Climb(0, -3.0, -1.0)):
        assert "%" not in of(replace(FOUND, climb=climb), "converged").finding


def test_a_gradient_that_is_0_nowhere_is_not_spoken_of() -> None:
    complete = replace(FOUND, exact=Vanished(label_term=12, pixels=0, either=12))
    finding = of(complete, "gradient").finding
    assert "12 of a sample of 1,000 images (1.2\xa0%)" in finding
    assert "0 of" not in finding
