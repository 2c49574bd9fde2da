import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from core.attacks import ATTACKS, fgsm, pgd, strongest
from core.batches import BATCH
from core.bounds import certified
from core.data.mnist import Digits
from core.evaluation import shipped
from core.evaluation.robustness import (
    EPSILONS,
    MEASURED_ATTACKS,
    ONE_IN,
    PASSES,
    Robustness,
    cached,
    digest,
    every_tenth,
    measure,
    mirrored,
    read_cache,
    write_cache,
)
from core.evaluation.shipped import MeasuredFileError
from core.networks import MLP, Ensemble, Network
from tests.conftest import SHIPPED, random_mlp

# Another processor adds up a layer's products in another order, so an image at a decision boundary
# may fall on the other side. With the kernels that OPENBLAS_CORETYPE chooses for processors without
# AVX, with AVX2 and with AVX-512, no image of 10,000 did.
A_FEW = 3.01 / 1000


class Stopped(Exception):
    """Raised to stop a measurement."""


@pytest.fixture(scope="module")
def few(test_digits: Digits) -> Digits:
    """The first 70 test images, every digit among them."""
    return Digits(test_digits.x[:70], test_digits.y[:70])


def linear(seed: int) -> MLP:
    """An untrained network without a hidden layer."""
    return random_mlp((784, 10), seed=seed, dtype=np.float32)


@pytest.fixture(scope="module")
def found(report_network: MLP, few: Digits) -> Robustness:
    """Measured on the report's network."""
    return measure(report_network, few)


def test_accuracies_by_a_plain_count(report_network: MLP, few: Digits, found: Robustness) -> None:
    assert (found.images, found.attacked) == (70, 7)
    right = sum(
        int(report_network.logits(x[None]).argmax()) == y for x, y in zip(few.x, few.y, strict=True)
    )
    assert found.clean_accuracy == right / 70
    for shares, x in (
        (found.accuracy_by_digit, few.x),
        (found.mirrored_by_digit, few.x.reshape(-1, 28, 28)[:, :, ::-1].reshape(-1, 784)),
    ):
        seen = report_network.logits(x).argmax(axis=1)
        assert shares == tuple((seen[few.y == digit] == digit).mean() for digit in range(10))


@pytest.mark.thorough
@pytest.mark.parametrize("members", [1, 2])
def test_what_need_not_be_attacked_changes_no_rate(
    members: int, report_network: MLP, test_digits: Digits
) -> None:
    """Every attack on every image at every ε, and every proof, without a shortcut."""
    network: Network = report_network
    if members > 1:
        network = Ensemble((report_network, random_mlp((784, 20, 10), seed=1, dtype=np.float32)))
    some = Digits(test_digits.x[1000:1200], test_digits.y[1000:1200])
    found = measure(network, some)
    x, y = every_tenth(some).x, every_tenth(some).y
    assert len(x) == found.attacked == 20
    misled = {}
    for name, attack in ATTACKS.items():
        if name in MEASURED_ATTACKS:
            seen = [network.logits(attack(network, x, y, epsilon)) for epsilon in EPSILONS]
            misled[name] = np.array([logits.argmax(axis=1) != y for logits in seen])
    misled["strongest"] |= misled["fgsm"] | misled["pgd"]
    for name in MEASURED_ATTACKS:
        best = np.logical_or.accumulate(misled[name]).mean(axis=1)
        assert found.evasion_rates[name] == pytest.approx(best)
    proved = certified(network, x, y, EPSILONS[1:]).mean(axis=1)
    assert found.certified is not None
    assert found.certified[1:] == pytest.approx(proved)
    assert found.certified[0] == pytest.approx(1 - found.evasion_rate("pgd", 0))
    assert proved[0] > 0 and found.evasion_rate("strongest", 0.1) > found.evasion_rate("fgsm", 0.1)


def test_no_rate_falls_and_all_images_are_fooled_or_proved_or_between(found: Robustness) -> None:
    for rates in found.evasion_rates.values():
        assert np.all(np.diff(rates) >= 0)
    for epsilon in EPSILONS:
        fgsm_s, pgd_s, worst = (found.evasion_rate(each, epsilon) for each in MEASURED_ATTACKS)
        assert max(fgsm_s, pgd_s) <= worst
        proved, band = found.proved(epsilon), found.band(epsilon)
        assert proved is not None and band is not None
        assert min(proved, band) >= 0
        assert worst + band + proved == pytest.approx(1)


def test_of_a_network_that_can_t_be_bounded_only_attacks_are_known(
    few: Digits, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("core.evaluation.worst.MOST_MULTIPLY_ADDS", 10)
    found = measure(linear(0), few)
    assert [found.certified, found.proved(0.1), found.band(0.1)] == [None] * 3
    with pytest.raises(ValueError, match="^epsilon must be one of 0.0"):
        found.proved(0.11)
    write_cache({"one": linear(0)}, few, path=tmp_path / "robustness.json")
    assert cached(linear(0), path=tmp_path / "robustness.json") == found


def test_budgets_are_13_from_0_to_0_3() -> None:
    assert len(EPSILONS) == 13
    np.testing.assert_allclose(EPSILONS, np.linspace(0, 0.3, 13))
    assert 0.1 in EPSILONS


def test_a_budget_or_an_attack_that_was_not_measured_is_a_sentence(few: Digits) -> None:
    found = measure(linear(0), few)
    with pytest.raises(ValueError, match="^epsilon must be one of 0.0, 0.025"):
        found.evasion_rate("fgsm", 0.11)
    with pytest.raises(ValueError, match="^attack must be one of fgsm, pgd"):
        found.evasion_rate("deepfool", 0.1)


def test_mirroring_twice_changes_nothing(few: Digits) -> None:
    once = mirrored(few.x)
    np.testing.assert_array_equal(
        once.reshape(-1, 28, 28)[:, 3, 0], few.x.reshape(-1, 28, 28)[:, 3, 27]
    )
    np.testing.assert_array_equal(mirrored(once), few.x)


def test_a_digest_is_the_same_for_the_same_numbers_only(report_network: MLP) -> None:
    weights, biases = report_network.weights, report_network.biases
    again = MLP(tuple(w.copy() for w in weights), tuple(b.copy() for b in biases))
    assert digest(again) == digest(report_network)
    last = biases[-1].copy()
    last[3] = np.nextafter(last[3], np.float32(1))
    others: list[Network] = [
        MLP(weights, (*biases[:-1], last)),
        Ensemble((report_network, report_network)),
        Ensemble((report_network, again, again)),
        linear(0),
        linear(1),
        MLP(tuple(w.astype(np.float64) for w in weights), tuple(b.astype(float) for b in biases)),
    ]
    assert len({digest(network) for network in (report_network, *others)}) == 7


def test_a_digest_tells_the_settings_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    before = digest(linear(0))
    monkeypatch.setattr("core.evaluation.robustness.EPSILONS", (0.0, 0.1))
    assert digest(linear(0)) != before


def test_progress_is_told_and_can_end_the_work(few: Digits) -> None:
    told: list[int] = []
    measure(linear(0), few, on_progress=told.append)
    assert sum(told) == PASSES * 7
    assert len(told) >= 3  # without an attack, after the quick ones, after all

    def stop_after_two(images: int) -> None:
        told.append(images)
        if len(told) >= 2:
            raise Stopped

    told.clear()
    with pytest.raises(Stopped):
        measure(linear(0), few, on_progress=stop_after_two)
    assert len(told) == 2


def test_what_is_written_is_read_back(tmp_path: Path, few: Digits) -> None:
    path = tmp_path / "new" / "robustness.json"
    networks = {"one": linear(1), "two": linear(2)}
    told: list[int] = []
    write_cache(networks, few, path=path, on_progress=told.append)
    assert sum(told) == 2 * PASSES * 7
    for network in networks.values():
        assert cached(network, path=path) == measure(network, few)
    assert cached(linear(3), path=path) is None
    assert [file.name for file in path.parent.iterdir()] == ["robustness.json"]
    assert {entry["network"] for entry in json.loads(path.read_text()).values()} == {"one", "two"}


def test_a_retrained_network_is_measured_and_the_old_one_forgotten(
    tmp_path: Path, few: Digits
) -> None:
    path = tmp_path / "robustness.json"
    write_cache({"one": linear(1), "two": linear(2)}, few, path=path)
    kept = read_cache(path)[digest(linear(2))]
    write_cache({"one": linear(7), "two": linear(2)}, few, path=path)
    assert set(read_cache(path)) == {digest(linear(7)), digest(linear(2))}
    assert read_cache(path)[digest(linear(2))] == kept
    assert cached(linear(1), path=path) is None


def test_what_was_done_before_a_stop_is_kept_and_not_done_again(
    tmp_path: Path, few: Digits
) -> None:
    path = tmp_path / "robustness.json"
    networks = {"one": linear(1), "two": linear(2)}
    done = 0

    def stop_within_the_second(images: int) -> None:
        nonlocal done
        done += images
        if done > 1.5 * PASSES * 7:
            raise Stopped

    with pytest.raises(Stopped):
        write_cache(networks, few, path=path, on_progress=stop_within_the_second)
    assert set(read_cache(path)) == {digest(linear(1))}
    told: list[int] = []
    write_cache(networks, few, path=path, on_progress=told.append)
    assert told[0] == sum(told[1:]) == PASSES * 7


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{",
        '{"a": 3}',
        '{"a": {"images": 1, "clean_accuracy": 1, "epsilons": [], "evasion_rates": {}}}',
        "[" * 100_000,
        "\ud800",
    ],
    ids=["empty", "list", "cut", "number", "another measurement", "deep", "no text"],
)
def test_a_damaged_file_is_one_sentence_and_can_be_made_anew(
    content: str, tmp_path: Path, few: Digits
) -> None:
    path = tmp_path / "robustness.json"
    path.write_bytes(content.encode("utf-8", "surrogatepass"))
    with pytest.raises(MeasuredFileError, match="^robustness.json is damaged; .* anew.$"):
        read_cache(path)
    write_cache({"one": linear(1)}, few, path=path)
    assert cached(linear(1), path=path) is not None


@pytest.mark.parametrize(
    "change",
    [
        {"clean_accuracy": 1.2},
        {"clean_accuracy": "most"},
        {"images": None},
        {"epsilons": [0.1] * 13},
        {"evasion_rates": {attack: [0.5] * 12 for attack in MEASURED_ATTACKS}},
        {"evasion_rates": {"fgsm": [0.5] * 13}},
        {"certified": None},
        {"certified": 0.5},
    ],
    ids=str,
)
def test_figures_that_can_t_be_are_damage(
    change: Mapping[str, object], tmp_path: Path, few: Digits
) -> None:
    path = tmp_path / "robustness.json"
    write_cache({"one": linear(1)}, few, path=path)
    entries = json.loads(path.read_text())
    next(iter(entries.values())).update(change)
    path.write_text(json.dumps(entries))
    with pytest.raises(MeasuredFileError, match="damaged"):
        read_cache(path)


@pytest.mark.parametrize("value", ["Infinity", "NaN", "1e999", "true", '"many"', "1.5", "[1]"])
def test_a_figure_that_is_no_number_is_damage_whatever_the_checksum(
    value: str, tmp_path: Path, few: Digits
) -> None:
    path = tmp_path / "robustness.json"
    write_cache({"one": linear(1)}, few, path=path)
    ((key, entry),) = json.loads(path.read_text()).items()
    fields = {name: each for name, each in entry.items() if name not in ("network", "sha256")}
    fields["images"] = json.loads(value)
    changed = {key: {"network": "one", "sha256": shipped._checksum(fields), **fields}}
    path.write_text(json.dumps(changed))
    with pytest.raises(MeasuredFileError, match="^robustness.json is damaged; .* anew.$"):
        read_cache(path)


def test_a_missing_file_knows_nothing(tmp_path: Path) -> None:
    assert read_cache(tmp_path / "robustness.json") == {}


def test_a_place_that_can_t_be_read_or_written_is_a_sentence(tmp_path: Path, few: Digits) -> None:
    with pytest.raises(MeasuredFileError, match="can't be read"):
        read_cache(tmp_path)
    with pytest.raises(MeasuredFileError, match="can't be written"):
        write_cache({}, few, path=Path("/proc/none/robustness.json"))


def test_every_shipped_network_has_been_measured() -> None:
    shipped = filter(SHIPPED.is_shipped, SHIPPED.names())
    known = read_cache()
    networks = {name: SHIPPED.load(name)[0] for name in shipped}
    assert [name for name, network in networks.items() if digest(network) not in known] == []


@pytest.mark.thorough
def test_the_shipped_figures_are_what_is_measured_now(
    report_network: MLP, test_digits: Digits
) -> None:
    known = cached(report_network)
    assert known is not None
    some = every_tenth(test_digits)
    assert (known.images, known.attacked) == (len(test_digits), len(some))
    assert len(some) * ONE_IN == len(test_digits)
    for attack, function in (("fgsm", fgsm), ("pgd", pgd)):
        misread = np.zeros(5)
        for start in range(0, len(some), BATCH):
            x, y = some.x[start : start + BATCH], some.y[start : start + BATCH]
            seen = [report_network.logits(function(report_network, x, y, e)) for e in EPSILONS[:5]]
            wrong = [logits.argmax(axis=1) != y for logits in seen]
            misread += np.logical_or.accumulate(wrong).sum(axis=1)
        best = misread / len(some)
        assert known.evasion_rates[attack][:5] == pytest.approx(best, abs=A_FEW)
    few = Digits(some.x[:100], some.y[:100])
    x_adv = strongest(report_network, few.x, few.y, 0.1)
    fooled = report_network.logits(x_adv).argmax(axis=1) != few.y
    # The share of a hundred of them, within four standard deviations.
    assert known.evasion_rate("strongest", 0.1) == pytest.approx(fooled.mean(), abs=0.16)
    assert known.proved(0.05) == pytest.approx(
        certified(report_network, some.x, some.y, 0.05).mean(), abs=A_FEW
    )
