"""A mail server in the test's own process: real SMTP on the loopback interface, with TLS and a login if wanted."""

from __future__ import annotations

import email
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any, Literal

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

USER, PASSWORD = "cbi", "s3cret-pass"
Security = Literal["starttls", "tls", "none"]


@dataclass
class Postbox:
    """What has arrived, and how the next messages are answered."""

    received: list[EmailMessage] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    """Answers to the next messages in place of taking them."""
    logins: list[bool] = field(default_factory=list)
    password: str = PASSWORD

    login: bool = False
    """Whether nothing is taken without one."""

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        """Take a sender."""
        if self.login and not session.authenticated:
            return "530 log in first"
        envelope.mail_from = address
        return "250 go on"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Take a message, or answer as told."""
        if self.answers:
            return self.answers.pop(0)
        self.received.append(email.message_from_bytes(envelope.content, policy=default))
        return "250 taken"

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        """Check a login."""
        right = isinstance(data, LoginPassword) and (data.login, data.password) == (
            USER.encode(),
            self.password.encode(),
        )
        self.logins.append(right)
        return AuthResult(success=right, handled=right)


class Office:
    """A mail server that can be closed and opened again on one port.

    Parameters
    ----------
    folder : Path
        Where its authority's certificate is put.
    security : {"starttls", "tls", "none"}
    login : bool
        Whether it wants one.
    """

    def __init__(self, folder: Path, security: Security = "starttls", *, login: bool = True) -> None:
        self.box, self.port = Postbox(login=login), _free_port()
        self.ca = folder / "authority.pem"
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(self.ca))
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("localhost").configure_cert(self._tls)
        self._security, self._login = security, login
        self._controller: Controller | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """Settings of a process that sends through it."""
        login = {"smtp_user": USER, "smtp_password": PASSWORD} if self._login else {}
        return {
            "smtp_host": "localhost", "smtp_port": self.port, "smtp_security": self._security,
            "smtp_ca": str(self.ca), "smtp_from": "cbi@example.com", "smtp_to": ("chris@example.com",), **login,
        }  # fmt: skip

    def open(self) -> None:
        """Begin to answer."""
        implicit = {"ssl_context": self._tls} if self._security == "tls" else {}
        explicit = {"tls_context": self._tls, "require_starttls": True} if self._security == "starttls" else {}
        options: dict[str, Any] = {**implicit, **explicit}
        self._controller = Controller(
            self.box, hostname="localhost", port=self.port, authenticator=self.box.authenticate,
            auth_require_tls=self._security == "starttls", **options,
        )  # fmt: skip
        self._controller.start()

    def close(self) -> None:
        """Stop answering."""
        if self._controller is not None:
            self._controller.stop()
            self._controller = None


@contextmanager
def office(folder: Path, security: Security = "starttls", *, login: bool = True) -> Iterator[Office]:
    """Run a mail server."""
    made = Office(folder, security, login=login)
    made.open()
    try:
        yield made
    finally:
        made.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return int(probe.getsockname()[1])
