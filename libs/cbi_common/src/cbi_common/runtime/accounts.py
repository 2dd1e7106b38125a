"""Who may do what on the bus, as a configuration of nats-server: made of what the services declare.

``python -m cbi_common.runtime.accounts`` prints it; ``deploy/nats/accounts.conf`` is compared with it in a test. Each
user's password is a variable of the configuration, which stands in a file that is never checked in.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable

from cbi_common.events.action import ActionTaken
from cbi_common.events.base import EventData
from cbi_common.events.data import DataRequested
from cbi_common.events.monitoring import AlertRaised, MailRequested
from cbi_common.runtime.bus import inbox_of
from cbi_common.runtime.schemas import installed
from cbi_common.runtime.service import Service
from cbi_common.runtime.streams import ADVISORY_PREFIX, DEAD, DEAD_PREFIX, EVENTS, JOBS, LEDGER, STATE_BUCKET, stream_of

OPERATOR, READER = "operator", "serving"
"""A person with every right, and a process that only reads."""
_SCHEDULER = "ingest"
_STATE = f"KV_{STATE_BUCKET}"
_STREAMS = (EVENTS, JOBS, LEDGER, DEAD, _STATE)


def variable(user: str) -> str:
    """Return the name of the variable that holds a user's password."""
    return f"{user.upper().replace('-', '_')}_PASSWORD"


def users(services: Iterable[Service]) -> list[str]:
    """Return everybody who has a password, sorted."""
    return sorted([OPERATOR, READER, *(service.name for service in services)])


def accounts(services: Iterable[Service] | None = None) -> str:
    """Return the ``authorization`` block.

    Parameters
    ----------
    services : iterable of Service, optional
        None takes all that are installed.
    """
    known = sorted(installed() if services is None else services, key=lambda service: service.name)
    lines = [
        "# Made by `python -m cbi_common.runtime.accounts` of what each service declares.",
        "authorization {",
        "  users = [",
        f'    {{ user: "{OPERATOR}", password: ${variable(OPERATOR)} }}',
        *_user(READER, _reading(), _inbox(READER)),
    ]
    for service in known:
        lines += _user(service.name, _publish(service), [*_inbox(service.name), f"{ADVISORY_PREFIX}>"])
    return "\n".join([*lines, "  ]", "}", ""])


def _user(name: str, publish: list[str], subscribe: list[str]) -> list[str]:
    def allowed(subjects: list[str]) -> str:
        return json.dumps(sorted(set(subjects)), indent=1).replace("\n", "\n        ")

    return [
        f'    {{ user: "{name}", password: ${variable(name)}, permissions: {{',
        f"        publish: {{ allow: {allowed(publish)} }}",
        f"        subscribe: {{ allow: {allowed(subscribe)} }}",
        "    } }",
    ]


def _inbox(user: str) -> list[str]:
    return [f"{inbox_of(user)}.>"]


def _publish(service: Service) -> list[str]:
    told: set[type[EventData]] = {*service.told, AlertRaised}
    if service.name == _SCHEDULER:
        told |= {DataRequested, MailRequested}
    subjects = [*(event.subject for event in told), f"{DEAD_PREFIX}>", f"$KV.{STATE_BUCKET}.>", *_knowing()]
    for stream in _STREAMS:
        subjects += [f"$JS.API.STREAM.CREATE.{stream}", f"$JS.API.STREAM.UPDATE.{stream}"]
    for subscription in service.subscriptions:
        stream, durable = stream_of(subscription.event.subject), subscription.durable
        subjects += [
            f"$JS.API.CONSUMER.CREATE.{stream}.{durable}.>",
            f"$JS.API.CONSUMER.CREATE.{stream}.{durable}",
            f"$JS.API.CONSUMER.DURABLE.CREATE.{stream}.{durable}",
            f"$JS.API.CONSUMER.INFO.{stream}.{durable}",
            f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}",
            f"$JS.ACK.{stream}.{durable}.>",
        ]
    if service.reads:
        subjects += _reading()
    if ActionTaken in told:
        subjects += [f"$JS.API.STREAM.MSG.DELETE.{DEAD}", *(cls.subject for cls in EventData.classes())]
    return subjects


def _knowing() -> list[str]:
    """Return what every user asks: what there is, and single messages of it."""
    return [
        "$JS.API.INFO",
        "$JS.API.STREAM.NAMES",
        *(f"$JS.API.{asked}.{stream}" for stream in _STREAMS for asked in ("STREAM.INFO", "STREAM.MSG.GET")),
        *(f"$JS.API.DIRECT.GET.{stream}{rest}" for stream in _STREAMS for rest in ("", ".>")),
    ]


def _reading() -> list[str]:
    """Return what reading a stream from its beginning asks: a consumer for the moment."""
    return [
        *_knowing(),
        *(
            f"$JS.API.CONSUMER.{asked}.{stream}{rest}"
            for stream in (EVENTS, LEDGER, DEAD)
            for asked, rest in (("CREATE", ""), ("CREATE", ".*.>"), ("CREATE", ".*"), ("INFO", ".*"),
                                ("MSG.NEXT", ".*"), ("DELETE", ".*"))
        ),
    ]  # fmt: skip


if __name__ == "__main__":
    sys.stdout.write(accounts())
