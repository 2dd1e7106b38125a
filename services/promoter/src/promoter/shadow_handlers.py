"""On judged gates: the challenger says its piece beside the champion; without one, who passed becomes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cbi_common.core.errors import TransientError
from cbi_common.events.base import Envelope, LakeRef
from cbi_common.events.monitoring import AlertRaised
from cbi_common.events.promotion import GatesJudged, ModelShadowed
from cbi_common.runtime.service import Kit, Outgoing
from promoter.domain.champion import Champion, champion_key
from promoter.domain.shadow import NO_CHANGE, Row, ShadowBook, Standing, standings

_ATTEMPTS = 20


class ShadowHandlers:
    """Load by key, work, save by key, return events."""

    def __init__(self, kit: Kit) -> None:
        self._lake, self._workers, self._state = kit.lake, kit.workers, kit.state

    async def follow(self, event: Envelope[GatesJudged]) -> Sequence[Outgoing]:
        """Note what champion and challenger say of the day; without a challenger, let one that passed begin."""
        judged = event.data
        book = await self._book(judged)
        if book is None:
            return await self._begin(judged) if judged.passed else []
        champion = await self._champion(judged)
        argument = {
            "lake": self._lake.url,
            "manifest": judged.run_id,
            "challenger": book.package.model_dump(mode="json"),
            "champion": None if champion.now is None else champion.now.package.model_dump(mode="json"),
            "horizons": [str(horizon) for horizon in book.horizons],
        }
        said = (await self._workers.run("promoter.shadowing:compare", argument, label="shadow")).value
        rows = tuple(Row.model_validate(row) for row in said["rows"])
        book = await self._noted(judged, book, rows)
        found = standings(book, {int(session): price for session, price in said["prices"].items()})
        return [*(self._told(judged, book, standing) for standing in found), *_decided(judged, book, found)]

    async def _begin(self, judged: GatesJudged) -> Sequence[Outgoing]:
        explained = self._lake.find(f"explained/{judged.run_id}")
        assert explained is not None  # the gates judged it
        argument = {
            "lake": self._lake.url,
            "explained": self._lake.get_json(explained),
            "horizons": [str(horizon) for horizon in judged.passed],
        }
        packed = (await self._workers.run("promoter.shadowing:pack", argument, label="package")).value
        champion = await self._champion(judged)
        book = ShadowBook(
            challenger=judged.run_id,
            package=LakeRef.model_validate(packed["package"]),
            champion=NO_CHANGE if champion.now is None else champion.now.version,
            began=judged.as_of,
            horizons=judged.passed,
        )
        await self._state.create(shadow_key(judged.market, judged.simulated), book.model_dump_json().encode())
        return [
            Outgoing(
                ModelShadowed(
                    market=judged.market,
                    run_id=judged.run_id,
                    horizon=horizon,
                    challenger=book.challenger,
                    champion=book.champion,
                    verdict="begun",
                    detail=f"passes policy {judged.policy}; its forecasts are noted beside the champion's from now on",
                ),
                discriminator=f"begun {horizon}",
            )
            for horizon in book.horizons
        ]

    async def _book(self, judged: GatesJudged) -> ShadowBook | None:
        stored = await self._state.get(shadow_key(judged.market, judged.simulated))
        return ShadowBook.model_validate_json(stored) if stored else None

    async def _champion(self, judged: GatesJudged) -> Champion:
        stored = await self._state.get(champion_key(judged.market, judged.simulated))
        return Champion() if stored is None else Champion.model_validate_json(stored)

    async def _noted(self, judged: GatesJudged, book: ShadowBook, rows: tuple[Row, ...]) -> ShadowBook:
        key = shadow_key(judged.market, judged.simulated)
        for _ in range(_ATTEMPTS):
            entry = await self._state.entry(key)
            present = ShadowBook.model_validate_json(entry[0]) if entry and entry[0] else None
            if entry is None or present is None or present.challenger != book.challenger:
                return book.with_rows(rows)  # the comparison was ended meanwhile
            after = present.with_rows(rows)
            if after == present or await self._state.compare_and_set(key, after.model_dump_json().encode(), entry[1]):
                return after
        raise TransientError("others keep changing it", where=key, hint="it is tried again")

    def _told(self, judged: GatesJudged, book: ShadowBook, standing: Standing) -> Outgoing:
        data = ModelShadowed(
            market=judged.market,
            run_id=judged.run_id,
            horizon=standing.horizon,
            challenger=book.challenger,
            champion=book.champion,
            verdict=standing.verdict,
            e_value=standing.e_better,
            n=standing.matured,
            detail=standing.detail,
        )
        return Outgoing(data, discriminator=f"{book.challenger} {standing.horizon}")


def shadow_key(market: str, simulated: bool) -> str:
    """Return where the challenger of a market lies."""
    return f"shadow.{market}.{'simulated' if simulated else 'real'}"


def _decided(judged: GatesJudged, book: ShadowBook, found: Sequence[Standing]) -> list[Outgoing]:
    """Say once that a comparison is decided: a person promotes, or ends it."""
    verdicts: dict[str, list[Any]] = {"promote": [], "keep": []}
    for standing in found:
        if standing.verdict != "extend":
            verdicts[standing.verdict].append(standing.horizon)
    hints = {
        "promote": f"`cbi promote --run {book.challenger} --yes` lets it serve",
        "keep": "`cbi shadow --end` makes room for another challenger",
    }
    said = {
        "promote": "the challenger is closer than the champion",
        "keep": "the champion is closer than the challenger",
    }
    return [
        Outgoing(
            AlertRaised(
                market=judged.market,
                severity="warning" if verdict == "promote" else "info",
                source="promoter--follow",
                what=f"{said[verdict]} at {', '.join(map(str, horizons))}",
                hint=hints[verdict],
                condition=f"shadow/{book.challenger}/{verdict}",
                where=", ".join(map(str, horizons)),
                as_of=judged.as_of,
            ),
            discriminator=f"{book.challenger} {verdict}",
        )
        for verdict, horizons in verdicts.items()
        if horizons
    ]
