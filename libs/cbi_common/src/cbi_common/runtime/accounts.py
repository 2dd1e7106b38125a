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
from cbi_common.runtime.streams import (
    ADVISORY_PREFIX,
    DEAD,
    DEAD_PREFIX,
    DECLARER,
    EVENTS,
    JOBS,
    LEDGER,
    PROMOTIONS,
    STATE,
    STATE_BUCKET,
    stream_of,
)

OPERATOR, READER = "operator", "serving"
"""A person with every right, and a process that only reads."""
_SCHEDULER, _SCHEDULED = "ingest", "schedule"
_LOGS = (EVENTS, JOBS, LEDGER, DEAD)
_STREAMS = (*_LOGS, STATE)


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
    kept = set(service.kept)
    if service.name == _SCHEDULER:
        told |= {DataRequested, MailRequested}
        kept.add(_SCHEDULED)
    subjects = [event.subject for event in told] + (_reading() if service.reads else _knowing())
    for key in kept:
        subjects += [f"$KV.{STATE_BUCKET}.{key}", f"$KV.{STATE_BUCKET}.{key}.>"]
    if service.name == DECLARER:
        subjects += [f"$JS.API.STREAM.{asked}.{stream}" for stream in _STREAMS for asked in ("CREATE", "UPDATE")]
    for subscription in service.subscriptions:
        subject, durable = subscription.event.subject, subscription.durable
        place = f"{stream_of(subject)}.{durable}"
        subjects += [
            # With the event in it: under its own name it could else read another's part of a work queue.
            f"$JS.API.CONSUMER.CREATE.{place}.{subject}",
            f"$JS.API.CONSUMER.INFO.{place}",
            f"$JS.API.CONSUMER.MSG.NEXT.{place}",
            f"$JS.ACK.{place}.>",
            f"{DEAD_PREFIX}{subject}",
        ]
    if service.watches:
        subjects += [f"$JS.API.CONSUMER.LIST.{stream}" for stream in (EVENTS, JOBS)]
    if ActionTaken in service.told:
        subjects += [f"$JS.API.STREAM.MSG.DELETE.{DEAD}"]
        subjects += [event.subject for event in EventData.own() if event not in PROMOTIONS]
    return subjects


def _knowing() -> list[str]:
    """Return what every user asks: which streams there are, and the shared state."""
    return [
        "$JS.API.INFO",
        *(f"$JS.API.STREAM.INFO.{stream}" for stream in _STREAMS),
        f"$JS.API.STREAM.MSG.GET.{STATE}",
    ]


def _reading() -> list[str]:
    """Return what one asks who reads streams from their beginning."""
    return [
        *_knowing(),
        *(f"$JS.API.{asked}.{stream}" for stream in _LOGS for asked in ("STREAM.MSG.GET", "DIRECT.GET")),
    ]


if __name__ == "__main__":
    sys.stdout.write(accounts())
