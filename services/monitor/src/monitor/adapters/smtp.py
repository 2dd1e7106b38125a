"""Mail by SMTP: encrypted, with a checked certificate, unless the settings say otherwise; with a login if they do."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from typing import TYPE_CHECKING, Literal

from cbi_common.core.errors import CbiError, InfrastructureError, TransientError, UsageError
from cbi_common.runtime.settings import Settings

if TYPE_CHECKING:
    from aiosmtplib import SMTPException, SMTPResponseException

_PORTS = {"starttls": 587, "tls": 465, "none": 25}
_TIMEOUT_S = 20.0
LONGEST_S = 120.0
"""An attempt has ended by then, one way or the other."""

_TEMPORARY = range(400, 500)


@dataclass(frozen=True)
class Server:
    """A mail server and how to speak to it."""

    host: str
    port: int
    security: Literal["starttls", "tls", "none"]
    sender: str
    recipients: tuple[str, ...]
    user: str | None
    password: str | None
    tls: ssl.SSLContext | None

    def __repr__(self) -> str:
        """Return it without the login."""
        return f"Server({self.host}:{self.port}, {self.security})"


def server_of(settings: Settings) -> Server | None:
    """Return the server that the settings name, None when they name none.

    Raises
    ------
    UsageError
        When the file of certificates, or of the password, cannot be read.
    """
    if settings.smtp_host is None or settings.smtp_from is None:
        return None
    return Server(
        host=settings.smtp_host,
        port=settings.smtp_port or _PORTS[settings.smtp_security],
        security=settings.smtp_security,
        sender=settings.smtp_from,
        recipients=settings.smtp_to,
        user=settings.smtp_user,
        password=settings.smtp_login,
        tls=None if settings.smtp_security == "none" else _trust(settings.smtp_ca),
    )


def _trust(authorities: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=authorities)
    except OSError as error:  # an SSLError is one
        raise UsageError(
            f"cannot be read as certificates: {error}", where=f"CBI_SMTP_CA {authorities}", hint="give a PEM file"
        ) from error


async def send(server: Server, message: EmailMessage) -> tuple[str, ...]:
    """Hand a message to the server.

    Returns
    -------
    tuple of str
        Recipients that the server refused while it took others.

    Raises
    ------
    TransientError
        When the server is away, is slow, or says itself that later may be better.
    InfrastructureError
        When it refuses for good: login, certificate, encryption, all recipients, the message.
    """
    import aiosmtplib

    try:
        refused, _ = await aiosmtplib.send(
            message,
            sender=server.sender,
            recipients=server.recipients,
            hostname=server.host,
            port=server.port,
            username=server.user,
            password=server.password,
            use_tls=server.security == "tls",
            start_tls=server.security == "starttls",
            tls_context=server.tls,
            timeout=_TIMEOUT_S,
        )
    except (aiosmtplib.SMTPException, OSError) as error:
        raise _told(error, server) from error
    return tuple(sorted(refused))


def _told(error: SMTPException | OSError, server: Server) -> CbiError:
    import aiosmtplib

    if (encryption := _encryption_error(error)) is not None:
        return _unsafe(encryption, server)
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return _answered(max(error.recipients, key=lambda refusal: refusal.code), server)
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return _answered(error, server)
    if isinstance(error, OSError):  # lost connections and timeouts of the library are such, too
        return _away(str(error), server)
    return InfrastructureError(
        _plain(str(error), server), where=_where(server), hint="see CBI_SMTP_SECURITY and CBI_SMTP_PORT"
    )


def _answered(error: SMTPResponseException, server: Server) -> CbiError:
    import aiosmtplib

    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        said, hint = f"login refused ({error.code})", "see CBI_SMTP_USER and CBI_SMTP_PASSWORD"
    else:
        said, hint = f"refused: {error.code} {_plain(error.message, server)}", "see the mail server's log"
    kind = TransientError if error.code in _TEMPORARY else InfrastructureError
    return kind(said, where=_where(server), hint=hint)


def _away(why: str, server: Server) -> TransientError:
    return TransientError(f"does not answer ({_plain(why, server)})", where=_where(server), hint="it is tried again")


def _unsafe(error: ssl.SSLError, server: Server) -> InfrastructureError:
    if isinstance(error, ssl.SSLCertVerificationError):
        what = f"its certificate is not trusted: {error.verify_message}"
        hint = "name the authority that signed it in CBI_SMTP_CA"
    else:
        what, hint = f"no encryption: {error.reason}", "see CBI_SMTP_SECURITY and CBI_SMTP_PORT"
    return InfrastructureError(what, where=_where(server), hint=hint)


def _encryption_error(error: BaseException | None) -> ssl.SSLError | None:
    """Return why no encryption came about, unless the connection was lost on the way."""
    while error is not None:
        if isinstance(error, ssl.SSLError) and not isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
            return error
        error = error.__cause__ or error.__context__
    return None


def _where(server: Server) -> str:
    return f"mail server {server.host}:{server.port}"


def _plain(text: str, server: Server) -> str:
    """Return what a server said on a line, without the password should it repeat that."""
    line = " ".join(text.split())[:200]
    return line.replace(server.password, "***") if server.password else line
