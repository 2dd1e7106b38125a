"""A mail catcher, as much of Mailpit as the stack's tests ask for: SMTP on 1025, ``/api/v1/messages`` on 8025."""

from __future__ import annotations

import json
import signal
import sys
from email import message_from_bytes, policy
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller

MOST = 500
messages: list[Message] = []


class Taken:
    """Keeps what comes."""

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        """Take a mail."""
        messages.append(message_from_bytes(envelope.content, policy=policy.default))
        del messages[:-MOST]
        return "250 taken"


class Page(BaseHTTPRequestHandler):
    """Shows what was taken."""

    def do_GET(self) -> None:
        """Answer with the mails, the newest first."""
        if self.path not in ("/", "/readyz", "/api/v1/messages"):
            self.send_error(404)
            return
        told = [{"Subject": mail["subject"], "From": mail["from"], "To": mail["to"]} for mail in reversed(messages)]
        body = json.dumps({"total": len(told), "messages": told}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def main() -> None:
    """Serve until told to stop."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    smtp = Controller(Taken(), hostname="0.0.0.0", port=1025)  # noqa: S104  # inside its container
    smtp.start()
    with ThreadingHTTPServer(("0.0.0.0", 8025), Page) as pages:  # noqa: S104
        pages.serve_forever()


if __name__ == "__main__":
    main()
