"""Copies are found, news of another day is not."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.domain.news.duplicates import SAME, Seen, jaccard, shingles
from ingest.domain.news.text import words

ARTICLE = words(
    "Palm oil futures in Kuala Lumpur rose for a third session on Thursday as exports in the first half of the month "
    "grew faster than traders had expected and a weaker ringgit made cargoes cheaper for buyers in India and China, "
    "while stocks at the end of the month are seen at their lowest in two years after heavy rain in Sabah"
)


def naive(one: list[str], other: list[str]) -> float:
    first, second = ({tuple(text[i : i + 3]) for i in range(len(text) - 2)} for text in (one, other))
    return len(first & second) / len(first | second)


def test_the_same_words_are_a_duplicate() -> None:
    seen = Seen()
    assert seen.add(ARTICLE) is None
    assert seen.add(list(ARTICLE)) == "duplicate"


@pytest.mark.parametrize("changed", [1, 2, 3])
def test_a_changed_word_or_two_are_a_near_duplicate_and_more_are_not(changed: int) -> None:
    seen, copy = Seen(), list(ARTICLE)
    seen.add(ARTICLE)
    for word in range(changed):
        copy[word * 20] = "changed"
    verdict = seen.add(copy)
    assert verdict == ("near_duplicate" if naive(ARTICLE, copy) >= SAME else None)
    assert (verdict is None) == (changed == 3)


def test_a_cut_copy_with_another_signature_is_found() -> None:
    seen = Seen()
    seen.add(ARTICLE)
    assert seen.add([*ARTICLE[2:], "reporting", "by", "staff"]) == "near_duplicate"


def test_another_number_in_a_short_report_is_other_news() -> None:
    seen = Seen()
    assert seen.add(words("Soybean oil gains as blenders raised their demand by 7 percent")) is None
    assert seen.add(words("Soybean oil gains as blenders raised their demand by 21 percent")) is None


@given(st.lists(st.sampled_from("abcdef"), min_size=3, max_size=30), st.lists(st.sampled_from("abcdef"), min_size=3))
def test_similarity_is_that_of_sets_of_triples(one: list[str], other: list[str]) -> None:
    assert jaccard(shingles(one), shingles(other)) == pytest.approx(naive(one, other))


def test_every_copy_among_many_articles_is_found_and_nothing_else() -> None:
    rng = np.random.default_rng(5)
    vocabulary = np.array([f"word{number}" for number in range(400)])
    originals = [list(rng.choice(vocabulary, 80)) for _ in range(300)]
    copies = [[*text[:40], "inserted", *text[40:]] for text in originals]
    seen = Seen()
    assert {seen.add(text) for text in originals} == {None}
    assert {seen.add(text) for text in copies} == {"near_duplicate"}
    assert all(naive(one, other) < SAME for one, other in pairwise(originals))
