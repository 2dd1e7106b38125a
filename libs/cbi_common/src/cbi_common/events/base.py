"""CloudEvents 1.0 envelope, wrapping of bare JSON, and the base of every event's data."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    SerializeAsAny,
    StringConstraints,
    ValidationError,
)

from cbi_common.core.errors import ContractError
from cbi_common.core.identity import derived_id
from cbi_common.events.wire import complaint, decode

DataT = TypeVar("DataT", bound="EventData", covariant=True)

MarketId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
LakeKey = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)+$", max_length=300)
]
Identity = Annotated[str, StringConstraints(pattern=r"^[ -~]+$", min_length=1, max_length=200)]
"""Printable ASCII: it stands in headers, logs and addresses."""
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Contract(BaseModel):
    """Base of everything that travels: frozen, unknown fields refused, NaN refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class LakeRef(Contract):
    """Claim check of an immutable lake object."""

    key: LakeKey
    sha256: Sha256
    size_bytes: int = Field(ge=0)


class EventData(Contract):
    """Base of the data of every event; a subclass names its subject once."""

    subject: ClassVar[str]
    begins_pass: ClassVar[bool] = False
    """Whether an event of this class, even one that another event caused, begins a pass of its own."""
    _registry: ClassVar[dict[str, type[EventData]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Register the subject."""
        super().__init_subclass__(**kwargs)
        if "subject" in cls.__dict__:
            EventData._registry[cls.subject] = cls

    @staticmethod
    def classes() -> Iterator[type[EventData]]:
        """Iterate over all event classes in the order of their subjects."""
        yield from (cls for _, cls in sorted(EventData._registry.items()))

    @staticmethod
    def own() -> Iterator[type[EventData]]:
        """Iterate over the event classes of this package: a test's own are in no contract and in nobody's rights."""
        yield from (cls for cls in EventData.classes() if cls.__module__.startswith(f"{__package__}."))

    @staticmethod
    def for_subject(subject: str) -> type[EventData]:
        """Return the class for ``subject``.

        Raises
        ------
        ContractError
            When no event has that subject.
        """
        found = EventData._registry.get(subject)
        if found is None:
            known = ", ".join(sorted(EventData._registry))
            raise ContractError("no such event", where=subject, hint=f"use one of: {known}")
        return found


class Envelope(Contract, Generic[DataT]):
    """CloudEvents 1.0 in JSON structured mode, with the correlation and causation extensions.

    ``correlationid`` is the id of the event that started the whole pass; ``causationid`` the id of the direct cause.
    """

    specversion: Literal["1.0"] = "1.0"
    id: Identity
    source: Identity
    type: str
    subject: str
    time: AwareDatetime
    datacontenttype: Literal["application/json"] = "application/json"
    dataschema: str
    correlationid: Identity
    causationid: Identity | None = None
    data: SerializeAsAny[DataT]

    @staticmethod
    def first(data: EventData, *, source: str, now: datetime, event_id: str) -> Envelope[EventData]:
        """Return the envelope of an event that nothing in the system caused."""
        return _envelope(data, source=source, now=now, event_id=event_id, correlation=event_id, cause=None)

    def caused(self, data: EventData, *, source: str, now: datetime, discriminator: str = "") -> Envelope[EventData]:
        """Return the envelope of an event that this one led to; equal arguments give an equal id."""
        event_id = derived_id(self.id, data.subject, discriminator)
        correlation = event_id if data.begins_pass else self.correlationid
        return _envelope(data, source=source, now=now, event_id=event_id, correlation=correlation, cause=self.id)

    def to_json(self) -> bytes:
        """Serialise for the wire."""
        return self.model_dump_json(exclude={"causationid"} if self.causationid is None else None).encode()


def _envelope(
    data: EventData, *, source: str, now: datetime, event_id: str, correlation: str, cause: str | None
) -> Envelope[EventData]:
    return Envelope[EventData].model_construct(
        specversion="1.0",
        id=event_id,
        source=source,
        type=data.subject,
        subject=data.subject,
        time=now,
        datacontenttype="application/json",
        dataschema=f"cbi:{data.subject}:1",
        correlationid=correlation,
        causationid=cause,
        data=data,
    )


def parse(payload: bytes, *, subject: str, stream: str, sequence: int, now: datetime) -> Envelope[Any]:
    """Read a message from the wire; a bare JSON object is wrapped.

    A bare object's id is derived from its place in the stream, so every consumer wraps it alike.

    Raises
    ------
    ContractError
        When the payload is not JSON, not an object, or does not fit the schema of its subject.
    """
    cls = EventData.for_subject(subject)
    try:
        raw = decode(payload)
    except ValueError as error:
        raise ContractError(f"not JSON: {error}", where=subject, hint="publish a JSON object") from error
    if not isinstance(raw, dict):
        raise ContractError(f"a JSON {type(raw).__name__}, not an object", where=subject, hint='publish {"key": value}')
    if "specversion" in raw and raw.get("type") != subject:
        raise ContractError(
            f"type says {complaint(repr(raw.get('type')))}", where=subject, hint="publish it on its own subject"
        )
    try:
        if "specversion" in raw:
            envelope = Envelope[cls].model_validate(raw)  # type: ignore[valid-type]
        else:
            data = cls.model_validate(raw)
            event_id = derived_id(stream, "external", str(sequence))
            return Envelope.first(data, source="external", now=now, event_id=event_id)
    except ValidationError as error:
        raise ContractError(_explain(error), where=subject, hint="see `cbi publish --help` for its fields") from error
    return envelope


def _explain(error: ValidationError) -> str:
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    parts = [complaint(f"{'.'.join(str(p) for p in e['loc']) or 'object'}: {e['msg']}") for e in errors[:3]]
    more = error.error_count() - len(parts)
    return "; ".join(parts) + (f" (and {more} more)" if more > 0 else "")
