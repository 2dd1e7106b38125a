"""Which event led to which, and the lake objects that each one names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel

from cbi_common.events.base import Envelope, LakeRef
from cbi_common.events.training import ModelFailed, ModelTrained, TrainingPlanned


class Node(NamedTuple):
    """An event and what it led to, in the order of their times."""

    event: Envelope[Any]
    children: tuple[Node, ...]


def causation(events: Sequence[Envelope[Any]]) -> tuple[Node, ...]:
    """Return the trees of causation; an event whose cause is not among ``events`` is a root.

    The cause of a model's result is a job, which its queue forgets: the plan that announced the job stands in for it.
    """
    known = {event.id for event in events}
    plans = {
        (job.model_id, horizon): event.id
        for event in events
        if isinstance(event.data, TrainingPlanned)
        for job in event.data.jobs
        for horizon in job.horizons
    }
    effects: dict[str | None, list[Envelope[Any]]] = {}
    for event in sorted(events, key=lambda event: (event.time, event.id)):
        cause = event.causationid if event.causationid in known else None
        if cause is None and isinstance(event.data, ModelTrained | ModelFailed):
            cause = plans.get((event.data.model_id, event.data.horizon))
        effects.setdefault(cause, []).append(event)

    def grow(cause: str | None) -> tuple[Node, ...]:
        return tuple(Node(event, grow(event.id)) for event in effects.get(cause, []))

    return grow(None)


def around(trees: Sequence[Node], event_id: str) -> tuple[Node, ...]:
    """Return the trees cut down to one event, its causes, and everything it led to."""
    kept = []
    for node in trees:
        below = node.children if node.event.id == event_id else around(node.children, event_id)
        if below or node.event.id == event_id:
            kept.append(Node(node.event, below))
    return tuple(kept)


def lake_objects(data: object) -> Iterator[LakeRef]:
    """Yield every lake reference inside the data of an event, depth first and in the order of the fields."""
    if isinstance(data, LakeRef):
        yield data
    elif isinstance(data, BaseModel):
        for name in type(data).model_fields:
            yield from lake_objects(getattr(data, name))
    elif isinstance(data, Mapping):
        for value in data.values():
            yield from lake_objects(value)
    elif isinstance(data, tuple):
        for value in data:
            yield from lake_objects(value)
