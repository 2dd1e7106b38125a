"""A secret is taken out in every form that a library could write it in; what is no secret stays."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbi_common.core.errors import UsageError
from cbi_common.runtime import telemetry
from cbi_common.runtime.redaction import Redaction
from cbi_common.runtime.settings import SECRETS, Settings

SECRET = "päss\"w'o\\rd /+é and more of it"
WRITERS = [
    str,
    repr,
    json.dumps,
    lambda text: json.dumps(text, ensure_ascii=False),
    lambda text: quote(text, safe=""),
    quote_plus,
    lambda text: base64.b64encode(text.encode()).decode(),
]


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize("write", WRITERS)
@given(secret=st.text(st.characters(codec="utf-8"), min_size=8, max_size=40))
def test_no_form_of_a_secret_is_left(write: object, secret: str) -> None:
    assert callable(write)
    said = Redaction([secret])(f"it is {write(secret)}, they say")
    assert said.startswith("it is ")
    assert secret not in said
    assert write(secret).strip("\"'") not in said


def test_the_login_of_any_url_is_left_out() -> None:
    redact = Redaction([])
    assert redact("http://me:pw@proxy:3128/x, then amqp://u:@h") == "http://***@proxy:3128/x, then amqp://***@h"
    for harmless in ("http://host:80/a@b", "gs://bucket/key", "me@host:22", "nats://127.0.0.1:4222"):
        assert redact(harmless) == harmless


@pytest.mark.parametrize("as_file", [False, True])
@pytest.mark.parametrize("log_format", ["json", "console"])
@pytest.mark.parametrize("name", SECRETS)
def test_no_secret_setting_is_logged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, log_format: str, as_file: bool
) -> None:
    file = tmp_path / "secret"
    file.write_text(SECRET + "\n", encoding="utf-8")
    mail = {"smtp_host": "m.org", "smtp_from": "a@m.org", "smtp_to": "b@m.org", "smtp_user": "u"}
    settings = Settings.load(
        log_format=log_format,
        **(mail if name == "smtp_password" else {}),
        **({f"{name}_file": str(file)} if as_file else {name: SECRET}),
    )
    assert SECRET not in f"{settings!r} {settings} {settings.model_dump()}"
    telemetry.configure(settings)
    try:
        raise ValueError(SECRET)
    except ValueError:
        logging.getLogger("cbi_common.test").exception("with %r", SECRET, extra={"told": {"token": SECRET}})
    said = capsys.readouterr().err
    assert "ValueError" in said
    assert not any(write(SECRET).strip("\"'") in said for write in WRITERS)


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_lies_in_one_place_that_can_be_read(tmp_path: Path, name: str) -> None:
    mail = {"smtp_host": "m.org", "smtp_from": "a@m.org", "smtp_to": "b@m.org", "smtp_user": "u"}
    others = mail if name == "smtp_password" else {}
    with pytest.raises(UsageError, match=f"CBI_{name.upper()}: two places of one secret"):
        Settings.load(**others, **{name: SECRET, f"{name}_file": "f"})
    for content, what in ((None, "cannot be read"), (b"\n", "is empty"), (b"\xff\xfe s3cret", "it is no text")):
        file = tmp_path / f"{len(what)}"
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(UsageError, match=f"CBI_{name.upper()}_FILE, .*{what}") as caught:
            assert Settings.load(**others, **{f"{name}_file": str(file)}).secrets
        assert "s3cret" not in caught.value.line()


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("nats_url", "nats://u:s3cret@h:4222"),
        ("nats_url", "nats://a:4222,nats://u:s3cret@b:4222"),
        ("tracking", "https://u:s3cret@mlflow.org"),
        ("tracking", "postgresql://u:s3cret@h/mlflow"),
        ("serving_url", "http://u:s3cret@h"),
        ("lake", "sftp://u:s3cret@h/lake"),
        ("results", "sftp://u:s3cret@h/results"),
        ("warehouse", "bigquery://u:s3cret@project"),
    ],
)
def test_a_password_in_a_url_is_refused_and_not_repeated(name: str, url: str) -> None:
    with pytest.raises(UsageError, match="a URL with a password in it") as caught:
        Settings.load(**{name: url})
    assert "s3cret" not in caught.value.line()
    assert f"CBI_{name.upper()}" in caught.value.line()
