"""Who may come in, how often, and what a browser may do with the answers."""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cbi_common.runtime.settings import Settings
from dashboard.adapters.gateway import default_gateway
from dashboard.domain.bucket import Buckets

COOKIE = "cbi_session"
SESSION_S = 12 * 3600
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
}
_OPEN = ("/login", "/static/")


@dataclass(frozen=True)
class Access:
    """Who may come in.

    Attributes
    ----------
    token : str, optional
        What a person or a program logs in with; None: nobody has to.
    user_header : str, optional
        Header in which a proxy that knows the person gives the name.
    proxies : addresses from which that header is believed
    gateway : callable, optional
        Returns the address of the host, from which alone anybody may come; None: from anywhere.
    rate, burst : requests a second of one client, and at once
    """

    token: str | None = field(default=None, repr=False)
    user_header: str | None = None
    proxies: frozenset[str] = frozenset(_LOOPBACK)
    gateway: Callable[[], str | None] | None = None
    rate: float = 200.0
    burst: float = 400.0
    secret: bytes = field(default=b"", repr=False)
    """What sessions are signed with; they end when it changes."""
    clock: Callable[[], float] = time.time
    """Seconds since the epoch, by which logins end and rates are counted."""

    @classmethod
    def of(cls, settings: Settings) -> Access:
        """Return what the settings of the process say."""
        return cls(
            token=settings.dashboard_login,
            user_header=settings.dashboard_user_header,
            proxies=frozenset(settings.dashboard_proxies),
            gateway=default_gateway if settings.dashboard_gateway else None,
            secret=secrets.token_bytes(32),
        )

    @property
    def needed(self) -> bool:
        """Whether one must log in."""
        return self.token is not None or self.user_header is not None

    def near(self, client: str) -> bool:
        """Return whether nobody but a person at this machine can have come from this address."""
        return self.gateway is None or client in _LOOPBACK or client == self.gateway()

    @property
    def csrf(self) -> str:
        """Token of the forms: who can read a page may send its forms."""
        return self._sign("csrf")

    def session(self) -> str:
        """Return the value of the cookie of a person who has logged in."""
        until = str(int(self.clock()) + SESSION_S)
        return f"{until}.{self._sign(until)}"

    def fits(self, token: str) -> bool:
        """Return whether this is the token; takes as long for a wrong one as for the right one."""
        return self.token is not None and hmac.compare_digest(token.encode(), self.token.encode())

    def who(self, headers: Headers, client: str) -> str | None:
        """Return who asks, None when that is not known."""
        if self.user_header and client in self.proxies and (name := headers.get(self.user_header)):
            return name[:200]
        if not self.needed:
            return "local"
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.fits(given.strip()):
            return "token"
        return "token" if self._holds(headers.get("cookie", "")) else None

    def _holds(self, cookie: str) -> bool:
        try:
            found = SimpleCookie(cookie).get(COOKIE)
        except CookieError:
            return False
        until, _, signed = (found.value if found else "").partition(".")
        # Of bytes: a cookie may hold letters that a comparison of texts does not take.
        good = hmac.compare_digest(signed.encode(), self._sign(until).encode())
        return self.token is not None and good and until.isdecimal() and int(until) > self.clock()

    def _sign(self, text: str) -> str:
        key = self.secret + (self.token or "").encode()
        return hmac.new(key, text.encode(), "sha256").hexdigest()


class Guard:
    """ASGI middleware around the whole application.

    Parameters
    ----------
    app : ASGI application
        Finds who asks under ``scope["state"]["who"]``.
    access : Access
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access
        self._requests = Buckets(access.rate, access.burst)
        self._attempts = Buckets(rate=0.2, burst=10)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let in, or refuse."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        await (refusal or self._app)(scope, receive, told)

    def _refusal(self, scope: Scope) -> Response | None:
        headers, now = Headers(scope=scope), self._access.clock()
        client = scope["client"][0] if scope.get("client") else ""
        changes = scope["method"] not in ("GET", "HEAD", "OPTIONS")
        wait = self._attempts.take(client, now) if changes else self._requests.take(client, now)
        if wait:
            return _no(429, f"too many requests; try again in {wait:.0f} s", {"retry-after": str(int(wait) + 1)})
        if not self._access.needed and not self._access.near(client):
            return _no(403, "without a login this dashboard answers its own host alone")
        if not self._access.needed and _host(headers) not in _LOOPBACK:
            return _no(421, "this address is not this dashboard's: it answers on the loopback interface only")
        if changes and not _from_here(headers):
            return _no(403, "the form was not sent from this dashboard's own page")
        who = self._access.who(headers, client)
        if who is None and not scope["path"].startswith(_OPEN):
            return _ask(scope)
        scope.setdefault("state", {})["who"] = who
        return None


def _no(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"detail": detail}, status_code=status, headers=headers)


def _ask(scope: Scope) -> Response:
    if scope["path"].startswith("/api/") or scope["method"] != "GET":
        return _no(401, "log in first: send the header `Authorization: Bearer TOKEN`", {"www-authenticate": "Bearer"})
    return RedirectResponse(f"/login?next={quote(scope['path'])}", status_code=303)


def _host(headers: Headers) -> str:
    try:
        return urlsplit(f"//{headers.get('host', '')}").hostname or ""
    except ValueError:
        return ""


def _from_here(headers: Headers) -> bool:
    """Whether a form comes from a page of ours: a browser says so, a program sends neither its headers nor a cookie."""
    site = headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return False
    origin = headers.get("origin")
    if origin is None:
        return site is not None or "cookie" not in headers
    return urlsplit(origin).netloc == headers.get("host")
