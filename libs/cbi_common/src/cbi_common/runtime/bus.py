"""A connection to the bus: what is published is acknowledged by its stream, or the caller hears that it is not."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from faststream.nats import NatsBroker
from faststream.security import BaseSecurity, SASLPlaintext
from nats import errors as nats_errors
from nats.aio.client import Client
from nats.js import errors as js_errors
from nats.js.api import Header
from nats.js.client import JetStreamContext

from cbi_common.core.errors import ContractError, InfrastructureError, TransientError, UsageError
from cbi_common.events.base import Envelope
from cbi_common.runtime import streams
from cbi_common.runtime.settings import Settings

_log = logging.getLogger(__name__)

# What passes when the server is back; everything else the server says is our mistake.
_AWAY = (
    nats_errors.TimeoutError,
    nats_errors.NoRespondersError,
    nats_errors.NoServersError,
    nats_errors.ConnectionClosedError,
    nats_errors.ConnectionDrainingError,
    nats_errors.ConnectionReconnectingError,
    nats_errors.OutboundBufferLimitError,
    nats_errors.StaleConnectionError,
    js_errors.NoStreamResponseError,
    js_errors.ServiceUnavailableError,
    js_errors.ServerError,
)
_NOWHERE = "nats://localhost:4222"  # for documents of services that are never started; `connect` refuses
_ACK_TIMEOUT_S = 2.0
_RECONNECT_WAIT_S = 0.25
_LONGEST_PAUSE_S = 1.0


@contextmanager
def unavailable(where: str) -> Iterator[None]:
    """Turn the client's errors into ours: `TransientError` while the bus is away, `InfrastructureError` otherwise."""
    try:
        yield
    except _AWAY as error:
        raise TransientError(f"the bus does not answer ({error})", where=where, hint="it is tried again") from error
    except nats_errors.Error as error:
        raise InfrastructureError(f"the bus refuses: {error}", where=where, hint="see the bus's log") from error


def inbox_of(user: str) -> str:
    """Return the prefix of the subjects on which a user hears answers: nobody else may listen there."""
    return f"_INBOX_{user}"


def _security(settings: Settings) -> BaseSecurity | None:
    password, trusted = settings.nats_login, _trusted(settings)
    if settings.nats_user and password:
        return SASLPlaintext(settings.nats_user, password, ssl_context=trusted)
    return None if trusted is None else BaseSecurity(ssl_context=trusted)


def _trusted(settings: Settings) -> ssl.SSLContext | None:
    """Return whom to trust, and who we are; None: nothing is encrypted."""
    if settings.nats_tls_ca is None:
        return None
    where = f"setting CBI_NATS_TLS_CA, {settings.nats_tls_ca}"
    try:
        trusted = ssl.create_default_context(cafile=settings.nats_tls_ca)
        if settings.nats_tls_cert is not None and settings.nats_tls_key is not None:
            where = f"setting CBI_NATS_TLS_CERT, {settings.nats_tls_cert} with {settings.nats_tls_key}"
            # A key behind a passphrase would ask for it on the terminal.
            trusted.load_cert_chain(settings.nats_tls_cert, settings.nats_tls_key, password=lambda: "")
    except OSError as error:  # an SSLError is one
        hint = "give PEM files, the key without a passphrase"
        raise UsageError(f"cannot be read: {error.strerror or error}", where=where, hint=hint) from error
    return trusted


class _Client(Client):
    """Says nothing in the clear to a server that was to speak TLS: the client itself does as the server says."""

    def _connect_command(self) -> bytes:
        if "tls" in self.options and not self._server_info.get("tls_required"):
            raise nats_errors.Error("nats: the server speaks no TLS")
        command: bytes = super()._connect_command()
        return command


class _Broker(NatsBroker):
    """Keeps the client from its beginning on, so that one which never gets through can be closed."""

    client: Client | None = None

    async def _connect(self) -> Client:
        self.client = _Client()
        await self.client.connect(**self._connection_kwargs)
        self.config.connect(self.client)
        return self.client


class Bus:
    """One connection, by the name that the server shows for it.

    Parameters
    ----------
    settings : Settings
        Where the server is.
    name : str
        Who connects.
    patience_s : float
        How long a publish waits for a server that is away.
    """

    def __init__(self, settings: Settings, name: str, *, patience_s: float = 30.0) -> None:
        self.name = name
        self._url = settings.nats_url
        self._replicas = settings.bus_replicas
        self.inbox = inbox_of(settings.nats_user or name)
        """Prefix of the subjects on which it hears answers."""
        self._patience_s = patience_s
        self._client: Client | None = None
        self._last_error: BaseException | None = None
        self._closing = False
        self.lost = asyncio.Event()
        """Set when the client has given up on the server, which then refused its credentials or broke the protocol."""
        self.broker = _Broker(
            (self._url or _NOWHERE).split(","),
            name=name,
            inbox_prefix=self.inbox,
            security=_security(settings),
            max_reconnect_attempts=-1,
            reconnect_time_wait=_RECONNECT_WAIT_S,  # type: ignore[arg-type]  # the client sleeps for any number
            connect_timeout=2,
            ping_interval=10,
            max_outstanding_pings=2,
            error_cb=self._on_error,
            disconnected_cb=self._on_disconnect,
            closed_cb=self._on_close,
            drain_timeout=2,
            graceful_timeout=5.0,
            apply_types=False,
            logger=logging.getLogger("cbi_faststream"),  # its own logger writes to stderr by itself
            log_level=logging.DEBUG,
        )

    @property
    def connected(self) -> bool:
        """Whether the server can be reached right now."""
        return self._client is not None and self._client.is_connected

    @property
    def client(self) -> Client:
        """The connected client.

        Raises
        ------
        TransientError
            Before `connect`.
        """
        if self._client is None:
            raise TransientError("not connected to the bus", where=self.name, hint="it is tried again")
        return self._client

    @property
    def jetstream(self) -> JetStreamContext:
        """JetStream calls of the connected client."""
        return self.client.jetstream(timeout=_ACK_TIMEOUT_S)

    async def connect(self, timeout_s: float | None = 10.0) -> None:
        """Connect, and keep reconnecting from then on.

        Parameters
        ----------
        timeout_s : float or None
            How long the server may be away at first; None waits for ever.

        Raises
        ------
        UsageError
            When the settings name no server.
        InfrastructureError
            When no server answers in time or it refuses the credentials.
        """
        if self._url is None:
            raise UsageError("no bus to connect to", where=self.name, hint="set CBI_NATS_URL")
        try:
            self._client = await asyncio.wait_for(self.broker.connect(), timeout_s)
        except (TimeoutError, OSError, nats_errors.Error) as error:
            await self._discard()
            reason = self._last_error or error
            raise InfrastructureError(
                f"cannot connect: {str(reason) or 'no answer'}",
                where=f"bus {self._url}",
                hint="is nats-server running there?",
            ) from error

    async def close(self) -> None:
        """Stop the subscriptions and disconnect; what was sent is flushed if the server is there."""
        self._closing = True
        try:
            await self.broker.stop()
        except nats_errors.Error as error:
            _log.debug("closed without a server: %s", error)
            await self._discard()
        self._client = None

    async def _discard(self) -> None:
        if self.broker.client is not None:
            with suppress(OSError, nats_errors.Error):  # it tries to flush
                await self.broker.client.close()

    async def declare_streams(self) -> None:
        """Create or update all streams and the state bucket.

        Raises
        ------
        TransientError, InfrastructureError
            When the server is away or refuses.
        """
        with unavailable("streams"):
            await streams.declare(self.jetstream, self._replicas)

    async def require_streams(self) -> None:
        """Make sure that another process has declared the streams.

        Raises
        ------
        TransientError, InfrastructureError
            When it has not yet, or the server is away or refuses.
        """
        with unavailable("streams"):
            await streams.require(self.jetstream)

    async def publish(self, envelope: Envelope[Any]) -> int:
        """Publish an event and return its sequence in the stream; an event that is there already keeps its place.

        Raises
        ------
        ContractError
            When it is too large for the bus.
        TransientError
            When no server acknowledged it in time.
        """
        return await self.send(
            envelope.subject,
            envelope.to_json(),
            message_id=envelope.id,
            headers={"content-type": "application/cloudevents+json"},
            correlation_id=envelope.correlationid,
        )

    async def send(
        self,
        subject: str,
        payload: bytes,
        *,
        message_id: str | None = None,
        headers: Mapping[str, str] | None = None,
        correlation_id: str | None = None,
    ) -> int:
        """Publish raw bytes as `publish` does."""
        stream = streams.stream_of(subject)
        sent = {"content-type": "application/json", **(headers or {})}
        if message_id is not None:
            sent[Header.MSG_ID.value] = message_id
        give_up = time.monotonic() + self._patience_s
        pause = 0.05
        while True:
            try:
                return await self._send_once(subject, payload, stream, sent, correlation_id)
            except nats_errors.MaxPayloadError as error:
                raise ContractError(
                    f"{len(payload):,} bytes are too many for the bus",
                    where=subject,
                    hint="put it in the lake and send its key",
                ) from error
            except _AWAY as error:
                if time.monotonic() + pause > give_up:
                    raise TransientError(
                        f"nobody acknowledged it for {self._patience_s:g} s ({error})",
                        where=subject,
                        hint="is the bus up?",
                    ) from error
            except nats_errors.Error as error:
                raise InfrastructureError(
                    f"the bus refuses it: {error}", where=subject, hint="see the bus's log"
                ) from error
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    async def _send_once(
        self, subject: str, payload: bytes, stream: str, headers: dict[str, str], correlation_id: str | None
    ) -> int:
        if not self.connected:
            # The client would keep it and send it after we have given up on it.
            raise nats_errors.ConnectionReconnectingError
        ack = await self.broker.publish(
            payload,
            subject,
            headers=dict(headers),
            stream=stream,
            timeout=_ACK_TIMEOUT_S,
            correlation_id=correlation_id,
        )
        if ack.stream != stream:
            raise InfrastructureError(f"stream {ack.stream} took it", where=subject, hint=f"it belongs to {stream}")
        return ack.seq

    async def _on_error(self, error: Exception) -> None:
        # A server that refuses may reset the connection before its reason was read: the reason it gave before stands.
        if self._last_error is None or not isinstance(error, ConnectionResetError):
            self._last_error = error
        _log.debug("bus: %s", error, extra={"connection": self.name})

    async def _on_close(self) -> None:
        if not self._closing:
            self.lost.set()

    async def _on_disconnect(self) -> None:
        if self._closing:
            return
        _log.warning("connection to the bus lost, reconnecting", extra={"connection": self.name})
