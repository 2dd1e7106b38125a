from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.domain.conditions import Book, Retrain, check
from monitor.domain.finding import Finding
from monitor.domain.retraining import decide, due_again
from monitor.rules_file import load_rules

RULES = load_rules()
DAY = date(2024, 6, 3)


def finding(name: str = "performance/1w") -> Finding:
    return Finding(condition=name, where="1w", what="it is bad", hint="mend it", since=DAY)


def checked(book: Book, session: int, *names: str, scope: str = "errors"):
    return check(book, scope, session, [finding(name) for name in names], RULES.conditions)


def test_a_condition_begins_once_and_is_over_once() -> None:
    book, said = Book(), []
    for session in range(100, 240):
        names = ("performance/1w",) if 110 <= session < 115 else ()
        step = checked(book, session, *names)
        book = step.book
        said += [(session, "begins") for _ in step.begun] + [(session, "over") for _ in step.over]
    quiet = RULES.conditions.quiet("performance/1w")
    assert said == [(110, "begins"), (114 + quiet + 1, "over")]


def test_a_pause_shorter_than_the_quiet_is_the_same_condition() -> None:
    book = checked(Book(), 100, "performance/1w").book
    book = checked(book, 105).book
    again = checked(book, 109, "performance/1w")
    assert again.begun == []
    assert again.book.open["performance/1w"].met == 109


def test_what_is_plain_to_see_is_over_at_once() -> None:
    book = checked(Book(), 100, "stale/table", scope="data").book
    assert list(checked(book, 101, scope="data").over) == ["stale/table"]


def test_another_check_neither_closes_nor_opens_again() -> None:
    book = checked(Book(), 100, "stale/table", scope="data").book
    other = checked(book, 150, scope="errors")
    assert other.over == {}
    assert "stale/table" in other.book.open


def test_an_older_day_changes_nothing() -> None:
    book = checked(Book(), 100, "performance/1w").book
    assert checked(book, 99, "coverage/1w") == (book, [], {})
    same = checked(book, 100, "coverage/1w")
    assert [f.condition for f in same.begun] == ["coverage/1w"]


@given(st.lists(st.tuples(st.integers(0, 60), st.booleans()), max_size=40))
def test_every_end_has_a_beginning(days: list[tuple[int, bool]]) -> None:
    book, balance = Book(), 0
    for session, bad in days:
        step = checked(book, session, *(["performance/1w"] if bad else []))
        balance += len(step.begun) - len(step.over)
        book = step.book
        assert balance in (0, 1)
        assert (balance == 1) == bool(book.open)


def retrained(*sessions: int, day: date = DAY) -> Book:
    book = Book()
    for session in sessions:
        book = book.granted(Retrain(session=session, day=day, cause="drift"))
    return book


@pytest.mark.parametrize(
    ("session", "decision"), [(99, "done"), (100, "done"), (101, "cool_down"), (120, "cool_down"), (121, "retrain")]
)
def test_a_retrain_is_followed_by_a_cool_down(session: int, decision: str) -> None:
    assert decide(retrained(100), session=session, day=DAY, rules=RULES.retraining) == decision


def test_a_day_has_a_limit_and_another_day_another() -> None:
    book = retrained(100, 200, 300)
    assert decide(book, session=400, day=DAY, rules=RULES.retraining) == "day_limit"
    assert decide(book, session=400, day=date(2024, 6, 4), rules=RULES.retraining) == "retrain"
    assert decide(Book(), session=1, day=DAY, rules=RULES.retraining) == "retrain"


def test_what_was_held_back_may_ask_again_after_the_cool_down_while_it_lasts() -> None:
    book = checked(retrained(100), 105, "performance/1w").book.model_copy(update={"held": {"performance/1w": 105}})
    assert due_again(book, 120, RULES.retraining) == frozenset()
    assert due_again(book, 121, RULES.retraining) == {"performance/1w"}
    assert due_again(checked(book, 190).book, 190, RULES.retraining) == frozenset()
    assert book.granted(Retrain(session=121, day=DAY, cause="x")).held == {}


def test_the_book_forgets_what_is_long_past() -> None:
    book = Book()
    for n in range(100):
        book = book.answered(f"event-{n}", []).granted(Retrain(session=n, day=DAY, cause="x"))
    assert list(book.answers)[-1] == "event-99"
    assert len(book.answers) == len(book.retrains) == 40
    assert Book.model_validate_json(book.model_dump_json()) == book
