"""The Remedies page, run by Streamlit's AppTest."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.dataframe_util import convert_arrow_bytes_to_pandas_df
from streamlit.testing.v1 import AppTest

from core.data import mnist
from core.data.mnist import Digits
from core.evaluation import robustness, seeds
from core.evaluation.robustness import EPSILONS, MEASURED_ATTACKS, Robustness, cached
from core.measures import accuracy
from core.networks import Library, shown_name
from core.networks.mlp import MLP
from core.presentation import remedies
from core.presentation.words import in_percent, percent
from tests.conftest import SHIPPED, random_mlp
from tests.pages.conftest import opened as open_page
from tests.pages.conftest import stands_for, tables, until, well

APP = str(Path(__file__).parent.parent.parent / "app.py")
PAGE = "pages/training/remedies.py"
PRESETS = [name for name in remedies.presets() if SHIPPED.is_shipped(name)]
SHOWN = [shown_name(name) for name in PRESETS]


@pytest.fixture
def folder(tmp_path: Path, library: Library, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of networks with the report's in it, and nothing measured."""
    monkeypatch.setattr(robustness, "CACHE", tmp_path / "robustness.json")
    shutil.copy(SHIPPED.path("report"), tmp_path)
    return tmp_path


def opened(**query: str) -> AppTest:
    """Open the page by a link and return it."""
    return open_page(APP, PAGE, **query)


def table(at: AppTest) -> Any:
    """Return the rows by network, as a data frame."""
    return at.dataframe[0].value.set_index("network")


def chart(at: AppTest) -> dict[str, Any]:
    figure: dict[str, Any] = json.loads(at.get("plotly_chart")[0].proto.spec)
    return figure


def keys(at: AppTest) -> set[str | None]:
    """Return the keys of the page's buttons."""
    return {button.key for button in at.button}


def said(at: AppTest) -> str:
    return "\n".join(element.value for element in (*at.markdown, *at.caption, *at.info))


def shipped_robustness(name: str) -> Robustness:
    known = cached(SHIPPED.load(name)[0])
    assert known is not None
    return known


def test_the_table_is_there_at_once_with_what_was_measured() -> None:
    at = opened()
    rows = table(at)
    assert list(rows.index) == SHOWN
    assert "measure" not in keys(at)
    report = shipped_robustness("report")
    for name in ("report", "dropout", "adversarial-pgd"):
        own, row = shipped_robustness(name), rows.loc[shown_name(name)]
        assert row["accuracy"] == in_percent(own.clean_accuracy)
        for attack in MEASURED_ATTACKS:
            assert row[attack] == in_percent(own.evasion_rate(attack, 0.1))
        assert row["proved"] == in_percent(own.proved(0.1) or 0)
        assert row["band"] == in_percent(own.band(0.1) or 0)
        assert row["strongest"] + row["band"] + row["proved"] == pytest.approx(100)
        assert row["seconds"] == round(SHIPPED.load(name)[1].train_seconds or 0)
        if name != "report":
            for column in ("accuracy", "strongest"):  # the difference of what is shown
                gain = row[column] - rows.loc["standard", column]
                assert row[f"{column}_gain"] == pytest.approx(gain, abs=1e-9)
            assert row["found"] == remedies.verdict(own, report, epsilon=0.1)
    assert rows.loc["weight-decay", "draw"] == "./?model=weight-decay"
    assert "transfer" in rows.loc["few-images", "found"]
    transfer, scratch = shipped_robustness("transfer"), shipped_robustness("few-images")
    assert rows.loc["transfer", "found"] == remedies.verdict(transfer, scratch, epsilon=0.1)
    assert "10,000 test images" in at.caption[0].value
    assert "1,000" in at.caption[0].value
    assert said(at).count("lower bound") == 1


def test_a_phone_gets_the_same_as_cards() -> None:
    at = opened()
    rows = table(at)
    (head, *cards), *_ = tables(at)
    assert [card[0] for card in cards] == list(rows.index)
    gain = head.index("Accuracy ±")
    for card, (_, row) in list(zip(cards, rows.iterrows(), strict=True))[1:]:
        assert float(card[1].removesuffix(" %")) == row["accuracy"]
        assert float(card[gain].replace("\N{MINUS SIGN}", "-")) == row["accuracy_gain"]
        for title, column in (
            ("Strongest", "strongest"),
            ("Between", "band"),
            ("Proved", "proved"),
        ):
            assert float(card[head.index(title)].removesuffix(" %")) == row[column]
        assert f'href="{row["draw"]}"' in card[-1]


def test_a_minus_is_no_hyphen() -> None:
    at = opened()
    gains = table(at)["accuracy_gain"]
    styler = at.dataframe[0].proto.arrow_data.styler
    shown = convert_arrow_bytes_to_pandas_df(styler.display_values).set_index("network")
    for name, gain in gains.drop("standard").items():
        assert shown.loc[name, "accuracy_gain"] == f"{gain:+.1f}".replace("-", "\N{MINUS SIGN}")
    assert (gains < 0).any()


def test_each_remedy_has_its_finding_below() -> None:
    text = said(opened())
    for remedy in remedies.REMEDIES:
        assert f"**{remedy.title}** · " in text
        assert remedy.mechanism in text


def test_epsilon_attack_and_networks_are_followed_and_in_the_address() -> None:
    at = opened()
    well(at.select_slider(key="budget").set_value(0.2).run())
    well(at.button_group(key="against").set_value("FGSM").run())
    well(at.multiselect(key="networks").set_value(["report", "dropout"]).run())
    own = shipped_robustness("dropout")
    assert list(table(at).index) == ["standard", "dropout"]
    assert table(at).loc["dropout", "pgd"] == in_percent(own.evasion_rate("pgd", 0.2))
    lines = {line["name"]: line for line in chart(at)["data"]}
    assert [name for name in lines if ":" not in name] == ["standard", "dropout"]
    assert lines["dropout"]["y"] == pytest.approx(own.evasion_rates["fgsm"], abs=1e-4)
    assert at.query_params == {"networks": "report~dropout", "budget": "0.2", "against": "FGSM"}
    assert "At ε = 0.2" in said(at)


def test_the_address_brings_everything_back() -> None:
    at = opened(networks="dropout~report", budget="0.151", against="FGSM")
    assert list(table(at).index) == ["dropout", "standard"]
    assert at.select_slider(key="budget").value == 0.15
    assert at.button_group(key="against").value == "FGSM"


@pytest.mark.parametrize(
    "query",
    [
        {"networks": "../report", "budget": "nan", "against": "Noise"},
        {"networks": "", "budget": "", "against": ""},
        {"networks": "~~", "budget": "1e999", "against": "pgd"},
    ],
)
def test_nonsense_in_the_address_counts_as_absent(query: dict[str, str]) -> None:
    at = opened(**query)
    assert list(table(at).index) == SHOWN
    assert stands_for(at) == {"budget": "0.1", "against": "Strongest"}


def test_nothing_chosen_is_an_invitation() -> None:
    at = opened()
    well(at.multiselect(key="networks").set_value([]).run())
    assert at.info
    assert not at.dataframe
    assert "What transfer saves" in said(at)


def test_mirrored_digits_are_read_and_counted(report_network: MLP, test_digits: Digits) -> None:
    at = opened(networks="report")
    bars = json.loads(at.get("plotly_chart")[1].proto.spec)["data"]
    mirrored = test_digits.x.reshape(-1, 28, 28)[:, :, ::-1].reshape(-1, 784)
    fives = test_digits.y == 5
    expected = accuracy(report_network, mirrored[fives], test_digits.y[fives])
    assert bars[1]["y"][5] == pytest.approx(expected, abs=1e-4)
    first = mirrored[test_digits.y.tolist().index(5)]
    seen = int(report_network.logits(first[None]).argmax())
    assert f"5, read as {seen}" in "".join(element.proto.body for element in at.get("html"))
    overall = percent(accuracy(report_network, mirrored, test_digits.y))
    assert f"{overall} mirrored" in said(at)


def test_a_new_network_is_measured_once_for_all(
    folder: Path, library: Library, test_digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = Digits(test_digits.x[:100], test_digits.y[:100])
    monkeypatch.setattr(mnist, "load", lambda split: some)
    network = random_mlp((784, 10), seed=0, dtype=np.float32)
    library.keep("mine, too", network, SHIPPED.load("report")[1])
    at = opened(networks="mine, too")
    row = table(at).loc["mine, too"]
    assert row["accuracy"] == in_percent(accuracy(network, some.x, some.y))
    assert table(at)[["pgd", "strongest", "proved", "band"]].isna().all(axis=None)
    assert row["found"] == "Not measured yet."
    assert row["draw"] == "./?model=mine%2C%20too"
    assert "has been measured yet" in said(at)
    well(at.button(key="measure").click().run())
    until(at, lambda at: "measure" not in keys(at))
    measured = table(at).loc["mine, too"]
    lines = chart(at)["data"]
    assert [line["legendgroup"] for line in lines] == ["mine, too"] * 3
    assert len(lines[-1]["y"]) == len(EPSILONS)
    assert measured["strongest"] == in_percent(lines[-1]["y"][EPSILONS.index(0.1)])
    assert measured["proved"] == in_percent(1 - lines[1]["y"][EPSILONS.index(0.1)])
    assert "measure" not in keys(at)
    somebody_else = opened(networks="mine, too")
    assert table(somebody_else).loc["mine, too", "strongest"] == measured["strongest"]
    library.delete("mine, too")
    well(at.run())
    assert at.multiselect(key="networks").value == []


def test_a_damaged_network_is_one_sentence_and_the_rest_goes_on(folder: Path) -> None:
    (folder / "dropout.safetensors").write_bytes(b"no network")
    at = opened()
    (error,) = at.error
    assert "dropout.safetensors" in error.value
    assert list(table(at).index) == ["standard"]
    assert "mirrored" in said(at)


def test_without_the_yardstick_the_rest_goes_on(folder: Path) -> None:
    (folder / "report.safetensors").rename(folder / "dropout.safetensors")
    at = opened()
    assert not at.error
    assert table(at).loc["dropout", "found"] == "Not measured yet."
    assert table(at)["accuracy_gain"].isna().all()


def test_a_damaged_file_of_figures_is_one_sentence(folder: Path) -> None:
    (folder / "robustness.json").write_text("{")
    at = opened()
    assert [error.value for error in at.error] == [
        "robustness.json is damaged; `python -m core measure` makes it anew."
    ]
    assert list(table(at).index) == ["standard"]


@pytest.mark.parametrize("content", [None, "{"])
def test_without_the_seeds_nothing_is_judged_and_the_figures_stand(
    content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seeds, "PATH", tmp_path / "seeds.json")
    monkeypatch.setattr(remedies, "chance", remedies.chance.__wrapped__)
    if content:
        seeds.PATH.write_text(content)
    at = opened(networks="report~dropout", budget="0.1")
    row = table(at).loc["dropout"]
    assert row["found"] == remedies.NOT_JUDGED
    assert row["strongest"] == in_percent(
        shipped_robustness("dropout").evasion_rate("strongest", 0.1)
    )
    assert remedies.on_chance() in said(at)


def test_no_network_at_all_is_a_sentence(folder: Path) -> None:
    (folder / "report.safetensors").unlink()
    assert opened().error[0].value.startswith("The folder models holds no network.")


def test_damaged_data_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(split: str) -> None:
        raise mnist.DataFileError("MNIST's files are damaged.")

    monkeypatch.setattr(mnist, "load", fail)
    assert [error.value for error in opened().error] == ["MNIST's files are damaged."]
