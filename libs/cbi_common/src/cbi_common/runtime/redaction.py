"""What is told of a secret: nothing."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

_MARK = "***"
_USERINFO = re.compile(r"(://)[^/?#@\s\"']*:[^/?#@\s\"']*@")


class Redaction:
    r"""Takes secrets out of a text, in every form in which a library may write one.

    Parameters
    ----------
    secrets : iterable of str

    Examples
    --------
    >>> Redaction(['p"w'])('{"said": "p\\"w"} amqp://me:other@host')
    '{"said": "***"} amqp://***@host'
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        # The longest first: a form may hold another.
        self._forms = sorted({form for secret in secrets if secret for form in _forms(secret)}, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """Return the text without them, and without the logins of any URL in it."""
        for form in self._forms:
            text = text.replace(form, _MARK)
        return _USERINFO.sub(rf"\1{_MARK}@", text)


def _forms(secret: str) -> Iterable[str]:
    yield secret
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield repr(secret)[1:-1]
    yield quote(secret, safe="")
    yield quote_plus(secret)
    yield base64.b64encode(secret.encode()).decode()
