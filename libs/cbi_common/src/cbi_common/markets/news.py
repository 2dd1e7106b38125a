"""Tables of articles, and the series that are made of what they say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Topic = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,23}$")]
Keyword = Annotated[str, StringConstraints(pattern=r"^\S.*\S$", to_lower=True)]

SENTIMENT, COUNT, DISPERSION, MOOD = "news_sentiment", "news_count", "news_dispersion", "news_mood"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class NewsSpec(_Frozen):
    """One table of articles, a row each."""

    table: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]+\.[A-Za-z0-9_]+$")]
    title: str | None = None
    """Column with the headline."""
    texts: tuple[str, ...] = ()
    """Columns with the text: of each row the first that can be read."""
    published: str | None = None
    """Column with the time of publication; times without a zone are taken for UTC."""
    loaded: str | None = None
    """Column with the time of loading."""
    dated: Literal["published", "loaded"] = "published"
    """Which of the two says when an article was known: ``loaded`` where publication times cannot be trusted."""
    source: str | None = None
    """Column with the name of who published it."""
    id: str | None = None
    """Column with the article's own id."""

    @model_validator(mode="after")
    def _can_be_read_and_dated(self) -> Self:
        if self.title is None and not self.texts:
            raise ValueError(f"news {self.table}: name a title or a text")
        if self.clock is None:
            raise ValueError(f"news {self.table}: dated by {self.dated!r}, but no such column is named")
        return self

    @property
    def clock(self) -> str | None:
        """Column that says when an article was known."""
        return self.published if self.dated == "published" else self.loaded

    def columns(self) -> tuple[str, ...]:
        """Return the columns that are read as far as the table has them; the clock and some text it must have."""
        named = (self.title, *self.texts, self.published, self.loaded, self.source, self.id)
        return tuple(dict.fromkeys(name for name in named if name is not None))


class SentimentSpec(_Frozen):
    """What is made of the articles of all tables together."""

    half_life_sessions: float = Field(default=5, gt=0)
    """Sessions after which an article counts half in the mood."""
    staleness_sessions: int = Field(default=10, ge=0)
    """Sessions a mood holds without a new article."""
    topics: dict[Topic, tuple[Keyword, ...]] = Field(min_length=1)
    """Topic to words and phrases, as whole words in any case, an ``*`` at the end for any ending. An article that
    touches no topic is left out."""
    models: bool = False
    """Whether models may see it: not before a walk-forward with it has beaten one without."""

    def series(self) -> Iterator[tuple[str, int]]:
        """Yield the name of each series and for how many sessions a value holds."""
        for name in (SENTIMENT, COUNT, DISPERSION):
            yield name, 0
        for name in (MOOD, *(mood_of(topic) for topic in self.topics)):
            yield name, self.staleness_sessions


def mood_of(topic: str) -> str:
    """Return the name of a topic's series."""
    return f"{MOOD}_{topic}"
