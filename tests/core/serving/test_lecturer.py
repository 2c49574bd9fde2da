import hmac

import pytest

from core.serving.lecturer import (
    CLOSED_SECONDS,
    TRIES,
    TRIES_OF_ALL,
    TRY_SECONDS,
    ClosedError,
    Lecturer,
    WordError,
)
from core.serving.rights import REMEMBERED, NotYoursError, Rights
from core.serving.visitors import Visitor

ME, YOU = Visitor("me", "tab"), Visitor("you", "tab")
ALONE = Visitor("me", "tab", is_alone=True)


class Clock:
    """Seconds that pass when a test says so."""

    now = 0.0

    def __call__(self) -> float:
        """The seconds so far."""
        return self.now


def test_who_says_the_word_is_the_lecturer_in_all_tabs_until_leaving() -> None:
    lecturer = Lecturer("Größe 1")
    for wrong in ("", "größe 1", "Größe 1 ", "\ud800"):
        with pytest.raises(WordError):
            lecturer.say(wrong, who=ME)
    lecturer.say("Größe 1", who=ME)
    assert lecturer.is_lecturer(Visitor("me", "another tab"))
    assert not lecturer.is_lecturer(YOU)
    lecturer.leave(who=ME)
    assert not lecturer.is_lecturer(ME)


def test_without_a_word_only_who_is_alone_is_trusted_and_with_one_nobody_is() -> None:
    lecturer = Lecturer("")
    assert lecturer.is_lecturer(ALONE) and not lecturer.is_lecturer(ME)
    with pytest.raises(WordError):
        lecturer.say("", who=ME)
    assert not Lecturer("word").is_lecturer(ALONE)


def test_words_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[set[int]] = []
    compare_digest = hmac.compare_digest

    def compare(*words: bytes) -> bool:
        compared.append({len(word) for word in words})
        return compare_digest(*words)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    with pytest.raises(WordError):
        Lecturer("a longer word").say("short", who=ME)
    assert len(compared) == 1 and len(compared[0]) == 1


def test_tries_are_limited_for_each_person_and_for_all_together() -> None:
    clock = Clock()
    lecturer = Lecturer("word", clock=clock)
    for _ in range(TRIES):
        with pytest.raises(WordError):
            lecturer.say("wrong", who=ME)
    with pytest.raises(WordError, match="many"):
        lecturer.say("word", who=ME)
    lecturer.say("word", who=YOU)
    for number in range(TRIES_OF_ALL - TRIES):  # by somebody who clears the browser's cookies
        with pytest.raises(WordError, match="not"):
            lecturer.say("wrong", who=number)
    for who in ("somebody new", ME):
        with pytest.raises(WordError, match="many"):
            lecturer.say("word", who=who)
    clock.now = TRY_SECONDS + 1
    lecturer.say("word", who=ME)
    assert lecturer.is_lecturer(ME)


def test_what_the_lecturer_closes_is_closed_to_others_for_an_hour() -> None:
    clock = Clock()
    lecturer = Lecturer("word", clock=clock)
    lecturer.say("word", who=ME)
    lecturer.close(who=YOU)
    lecturer.check_open(who=YOU)
    lecturer.close(who=ME)
    lecturer.check_open(who=ME)
    assert lecturer.is_closed(who=YOU) and lecturer.closed_minutes == 60
    with pytest.raises(ClosedError):
        lecturer.check_open(who=YOU)
    lecturer.reopen(who=YOU)
    clock.now = CLOSED_SECONDS - 1
    assert lecturer.is_closed(who=YOU) and lecturer.closed_minutes == 1
    clock.now = CLOSED_SECONDS
    lecturer.check_open(who=YOU)
    lecturer.close(who=ME)
    lecturer.reopen(who=ME)
    lecturer.check_open(who=YOU)


def test_a_thing_is_changed_by_its_owner_and_the_lecturer() -> None:
    rights = Rights(Lecturer("word"))
    rights.give("thing", who=ME)
    assert rights.owns("thing", who=Visitor("me", "another tab"))
    rights.check("thing", who=ME)
    for thing, who in (("thing", YOU), ("unknown", ME), ("unknown", None)):
        assert not rights.owns(thing, who=who)
        with pytest.raises(NotYoursError):
            rights.check(thing, who=who)
    rights.lecturer.say("word", who=YOU)
    for thing in ("thing", "unknown"):
        rights.check(thing, who=YOU)
    for number in range(REMEMBERED):
        rights.give(number, who=ME)
    assert not rights.owns("thing", who=ME) and rights.owns(REMEMBERED - 1, who=ME)
