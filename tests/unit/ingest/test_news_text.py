"""What is left of a text: words, and nothing that was meant for a browser, a program or another reader."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingest.domain.news.language import is_english
from ingest.domain.news.text import MOST, clean, is_garbled, is_wall, words


@pytest.mark.parametrize(
    ("raw", "left"),
    [
        ("<p>Palm oil<br/>rose</p><p>again</p>", "Palm oil rose again"),
        ("Soy &amp; palm&nbsp;oil &#8211; up", "Soy & palm oil – up"),
        ("twice &amp;quot;escaped&amp;quot;", 'twice "escaped"'),
        ("before<script>fetch('x')</script><style>p{}</style> after", "before after"),
        ('<img alt="a > b" src="x">crush', "crush"),
        ("<!-- SC_OFF --><div class='md'>text</div><![CDATA[x]]>", "text"),
        ("<![if !ie]>old<![endif]> and <![weird[section]]> new", "old and new"),
        ("5 < 6 and 7 > 3", "5 < 6 and 7 > 3"),
        ("zero\u200bwidth\x00 and\ttabs", "zero width and tabs"),
        ("Prices fall submitted by /u/farmer [link] [comments]", "Prices fall"),
        ("Crush up. The post Crush up appeared first on Oilseed Blog.", "Crush up."),
        ("Barani KrishnanSECAUCUS, N.J. (DTN) -- Oil futures rose", "Oil futures rose"),
        ("see https://example.org/a?b=c for more", "see for more"),
        ("EO #14269: Restoring Maritime Dominance - None", "EO #14269: Restoring Maritime Dominance"),
        ("None of the buyers came", "None of the buyers came"),
    ],
)
def test_markup_and_boilerplate_are_stripped(raw: str, left: str) -> None:
    assert clean(raw) == left


@given(st.text(alphabet="<>/!&;#[]-abp =\"'x10\x00\n", max_size=60))
@example("<![")
@example("&#x110000;&#0;")
@example("<script")
def test_no_text_breaks_it_and_what_is_left_is_one_line_of_printable_words(raw: str) -> None:
    left = clean(raw)
    assert left == " ".join(left.split())
    assert left.isprintable()
    assert len(left) <= MOST


def test_hostile_length_is_cut_before_it_is_parsed() -> None:
    assert clean("<" * 10_000_000) == clean("<" * 20_000)
    assert len(clean("word " * 1_000_000)) <= MOST


@pytest.mark.parametrize(
    ("text", "garbled"),
    [("\x10c\x10H\ufffdM\ufffd!\ufffd\x11:|\ufffd", True), ("Line one\nline\ttwo\r\n", False), ("", False)],
)
def test_bytes_that_were_taken_for_letters_are_recognised(text: str, garbled: bool) -> None:
    assert is_garbled(text) is garbled


def test_a_wall_is_no_article() -> None:
    assert is_wall("To continue, please click the box below to let us know you're not a robot.")
    assert not is_wall("Robots harvest soybeans in Brazil")


def test_words_are_what_copies_have_in_common() -> None:
    assert words("Soybean OIL, gains!") == words("soybean oil gains") == ["soybean", "oil", "gains"]


@pytest.mark.parametrize(
    "text",
    [
        "Soybean oil gains",
        "China buys US soybeans for the first time since May",
        "Kremlin confirms Putins visit to India",
        "Alcoa Corp. said US tariffs on Canadian aluminum cost it $69 million more than the prior quarter",
        "Petrobras says café exports from Rio de Janeiro are up in the third quarter",
    ],
)
def test_english_is_kept(text: str) -> None:
    assert is_english(text)


@pytest.mark.parametrize(
    "text",
    [
        "El Gobierno oficializó los nuevos precios de los biocombustibles",
        "Pequenas empresas que são grandes heróis",
        "G7 - Staat Japan lehnt russischen LNG - Stopp ab und handelt im nationalen Interesse",
        "Guida al weekend: i 10 eventi da non perdere",
        "Le prix de l'huile de palme monte pour la troisième semaine",
        "Pertamina dukung kebijakan untuk lingkungan dengan bioetanol dari produksi dalam negeri",
        "Türkiye Petrolleri üst yönetimine operasyon",
        "小米通话宣布12月3日停止服务",
        "Яблоки в России подешевели",
        "سعر البنزين اليوم الخميس",
        "12 345 678",
        " ".join(["corn", "wheat", "beef", "pork"] * 10),
    ],
)
def test_other_languages_and_lists_are_not(text: str) -> None:
    assert not is_english(text)
