"""Declaring subscriptions, and finding services."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cbi_common.core.errors import UsageError
from cbi_common.events.base import Envelope
from cbi_common.runtime.service import Outgoing, Service, discover
from cbi_common.testing.bench import Answered, Asked
from cbi_common.testing.fakes import FakeState, FakeWorkers, envelope, make_kit


class Handlers:
    async def answer(self, event: Envelope[Any]) -> list[Outgoing]:
        return []

    def not_async(self, event: Envelope[Any]) -> list[Outgoing]:
        return []


def test_a_subscription_is_named_after_service_and_handler(tmp_path: Path) -> None:
    service = Service("trainer-cpu", make_kit(tmp_path))
    service.on(Asked, Handlers().answer, publishes=(Answered,), parallel=3)
    (subscription,) = service.subscriptions
    assert subscription.durable == "trainer-cpu--answer"
    assert len(service.broker.subscribers) == 3, "each pulls one message at a time"
    assert not service.ready


def test_two_handlers_of_one_name_are_refused(tmp_path: Path) -> None:
    service = Service("a", make_kit(tmp_path))
    service.on(Asked, Handlers().answer)
    with pytest.raises(UsageError, match="a--answer: two subscriptions share one handler name"):
        service.on(Answered, Handlers().answer)


@pytest.mark.parametrize("handler", [Handlers().not_async, partial(Handlers().answer)])
def test_a_handler_is_a_named_coroutine_function(tmp_path: Path, handler: Any) -> None:
    with pytest.raises(UsageError, match="a handler is a named coroutine function"):
        Service("a", make_kit(tmp_path)).on(Asked, handler)


def test_an_unknown_service_lists_the_installed() -> None:
    with pytest.raises(UsageError, match=r"no service 'ingset'; installed are: .*ingest.*"):
        discover(["ingset"])


def test_an_envelope_of_a_test_has_an_id_that_follows_from_its_data() -> None:
    assert envelope(Asked(text="a")).id == envelope(Asked(text="a")).id != envelope(Asked(text="b")).id
    assert envelope(Asked(text="a"), correlation="run").correlationid == "run"


def test_the_fakes_are_what_the_kit_gives_by_default(tmp_path: Path) -> None:
    kit = make_kit(tmp_path, market="zs")
    assert isinstance(kit.workers, FakeWorkers)
    assert isinstance(kit.state, FakeState)
    assert kit.settings.market == "zs"
    assert kit.clock() == kit.clock()
