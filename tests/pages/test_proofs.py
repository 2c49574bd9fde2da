"""What Draw tells the browser of a digit's proof, once the browser asks."""

import itertools
import json
import logging
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from pages.parts.epsilon_explorer import proofs as part
from pages.parts.server import server
from tests.pages.conftest import given_to_explorer, until, well
from tests.pages.test_draw import SEVEN, draw, opened
from tests.pages.test_sent import send


def keys(at: AppTest) -> list[str]:
    """Return the keys under which the explorer asks, one a network."""
    given = given_to_explorer(at)
    assert given is not None
    about, _ = given
    return [each["proof"] for each in (about, about["second"]) if each]


def told(at: AppTest) -> list[dict[str, Any]]:
    """Return what the browser was told in the last run."""
    (proto,) = [
        each.proto
        for each in at.get("bidi_component")
        if each.proto.component_name.endswith("proofs")
    ]
    proofs: list[dict[str, Any]] = json.loads(proto.bytes)["proofs"]
    return proofs


questions = itertools.count()  # AppTest takes a question that is the same for none


def answers(at: AppTest, more: Any = "") -> list[dict[str, Any]]:
    """Return the answers to what the browser asks."""
    well(send(at, "proofs", {"asked": {"more": more, "question": next(questions)}}))
    return told(at)


def proved(at: AppTest) -> list[dict[str, Any]]:
    """Return the answers once all have ended."""

    def ended(at: AppTest) -> bool:
        return all(each["ended"] for each in answers(at))

    until(at, ended)
    return told(at)


def test_nothing_is_proved_before_the_browser_asks() -> None:
    at = opened()
    assert keys(at) == [""]  # the example of a first visit
    assert told(at) == answers(at) == []
    draw(at, SEVEN)
    (key,) = keys(at)
    assert key and told(at) == []
    assert not server().proofs._first._jobs
    (answer,) = proved(at)
    assert answer["key"] == key and 0 < answer["epsilon"] < 0.5
    assert answer["canRise"] and answer["found"] is None and not answer["problem"]
    well(at.run())
    assert told(at) == []  # until it asks again


def test_each_digit_and_each_network_has_a_proof_of_its_own() -> None:
    at = opened(digit="0", compare="ensemble")
    first = proved(at)
    assert [each["key"] for each in first] == keys(at) and len(set(keys(at))) == 2
    assert [each["canRise"] for each in first] == [True, True]
    well(at.number_input(key="digit").set_value(1).run())
    second = proved(at)
    assert not {each["key"] for each in first} & {each["key"] for each in second}
    assert [each["key"] for each in second] == keys(at)


def test_the_proof_is_the_same_for_every_attack_in_linf_and_shown_for_no_other() -> None:
    at = opened(digit="0")
    of_fgsm = keys(at)
    well(at.selectbox(key="attack").select("Random noise").run())
    assert keys(at) == of_fgsm
    for title in ("PGD (L2)", "DeepFool"):
        well(at.selectbox(key="attack").select(title).run())
        assert keys(at) == [""] and answers(at) == []


def test_more_is_proved_on_request_and_left_with_the_digit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMALL_CHANGE_PROOF_SECONDS", "1000")  # until it is left
    at = opened(digit="2")
    (first,) = proved(at)
    (begun,) = answers(at, more=first["key"])
    assert not begun["ended"] and not begun["canRise"]
    until(at, lambda at: answers(at)[0]["epsilon"] > first["epsilon"])
    (job,) = server().proofs._closer._jobs.values()
    well(at.number_input(key="digit").set_value(3).run())
    until(at, lambda at: job.over.is_set())
    assert job.progress.state == "stopped" and job.progress.result.epsilon > first["epsilon"]


def test_a_closer_look_finds_what_the_chosen_attack_does_not() -> None:
    at = opened(digit="0", model="ensemble", target="2")
    given = given_to_explorer(at)
    assert given is not None
    fgsm = given[0]["flip"]["epsilon"]
    (first,) = proved(at)
    assert first["found"] is None and first["after"] is None and not first["attacked"]
    answers(at, more=first["key"])
    (closer,) = proved(at)
    assert closer["finder"] == "attack" and closer["attacked"] and not closer["canRise"]
    assert closer["epsilon"] == first["epsilon"] < closer["found"] < fgsm
    assert closer["after"] in range(10) and closer["after"] != 7
    well(at.selectbox(key="attack").select("PGD").run())
    assert proved(at) == [closer]  # it is about the digit, whatever the attack


@pytest.mark.parametrize("asked", ["x", {"more": "x"}, {"more": 5}, {}, {"more": "x" * 100_000}])
def test_a_question_that_the_explorer_never_asks_is_a_line_in_the_log(
    asked: Any, caplog: pytest.LogCaptureFixture
) -> None:
    at = opened(digit="0")
    with caplog.at_level(logging.WARNING):
        well(send(at, "proofs", {"asked": asked}))
    (line,) = [record.getMessage() for record in caplog.records if record.name.startswith("pages")]
    assert len(line) < 200 and told(at) == []
    assert not server().proofs._closer._jobs


@pytest.mark.parametrize(("name", "version"), [("report", -1), ("no such network", 1)])
def test_a_network_that_has_changed_or_is_gone_has_no_proof(name: str, version: int) -> None:
    wanted = part._ToProve(name, version, np.zeros((1, 784), np.float32))
    answer = part._answer("key", wanted, closer=True)
    assert answer["problem"] and answer["epsilon"] is None and answer["ended"]
    assert not server().proofs._first._jobs and not server().proofs._closer._jobs
