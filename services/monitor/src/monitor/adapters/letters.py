"""From what is to be said to a mail: text and HTML, both from templates."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from monitor.adapters.smtp import Server
from monitor.domain.mail.daily import Daily
from monitor.domain.mail.notice import Notice, Origin

if TYPE_CHECKING:
    from jinja2 import Environment
    from jinja2.nodes import EvalContext

_LONGEST_SUBJECT = 150


def daily_letter(page: Daily, server: Server, mail_id: str, at: datetime) -> EmailMessage:
    """Return the daily mail."""
    return _letter("daily", page.subject, {"page": page, "origin": page.origin}, page.origin, server, mail_id, at)


def notices_letter(
    notices: Sequence[Notice], origin: Origin, server: Server, mail_id: str, at: datetime
) -> EmailMessage:
    """Return a mail of notices: what to act on first, what is over last."""
    order = ("act", "bad", "old", "over")
    ordered = sorted(notices, key=lambda notice: order.index(notice.tone))
    more = f" and {len(ordered) - 1} more" if len(ordered) > 1 else ""
    subject = f"{origin.title}: {ordered[0].heading}"[: _LONGEST_SUBJECT - len(more)] + more
    return _letter("notices", subject, {"notices": ordered, "origin": origin}, origin, server, mail_id, at)


def _letter(
    name: str, subject: str, shown: dict[str, Any], origin: Origin, server: Server, mail_id: str, at: datetime
) -> EmailMessage:
    mark = "[simulated] " if origin.simulated else ""
    message = EmailMessage(policy=SMTP)
    message["Subject"] = _line(mark + subject)
    message["From"] = server.sender
    message["To"] = ", ".join(server.recipients)
    message["Date"] = format_datetime(at)
    message["Message-ID"] = f"<{mail_id}@{server.sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # no answers from people who are on holiday
    shown = {**shown, "subject": subject}
    message.set_content(_templates().get_template(f"{name}.txt").render(shown))
    message.add_alternative(_templates().get_template(f"{name}.html").render(shown), subtype="html")
    return message


@cache
def _templates() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined, pass_eval_context, select_autoescape

    # Whatever is shown may come from a warehouse: in HTML it is escaped, in text it cannot begin a line of its own.
    @pass_eval_context
    def finalize(context: EvalContext, value: object) -> object:
        return _line(value) if isinstance(value, str) and not context.autoescape else value

    return Environment(
        loader=PackageLoader("monitor"),
        autoescape=select_autoescape(("html",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=finalize,
    )


def _line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)
