"""Settings come from the environment, once, and nothing in it is overlooked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from cbi_common.core.errors import UsageError
from cbi_common.runtime.settings import Settings
from cbi_common.storage.bigquery_url import Place, parse_place


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith("CBI_"):
            monkeypatch.delenv(name)


def test_a_variable_sets_a_field_and_an_argument_goes_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CBI_MARKET", "zs")
    monkeypatch.setenv("CBI_CORES", "3")
    settings = Settings.load(market="zm", lake=None)
    assert (settings.market, settings.cores, settings.worker_slots, settings.lake) == ("zm", 3, 3, "var/lake")


def test_a_folder_of_tables_is_the_warehouse_and_nothing_stands_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CBI_TABLES", "/tables")
    assert Settings.load().warehouse == "/tables"
    monkeypatch.setenv("CBI_WAREHOUSE", "")
    assert Settings.load().warehouse == "/tables"
    with pytest.raises(UsageError, match="there is CBI_WAREHOUSE, too"):
        Settings.load(warehouse="simulated")


def test_a_mistyped_variable_is_refused_with_the_right_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CBI_WAREHOSE", "x")
    with pytest.raises(
        UsageError, match=r"environment variable CBI_WAREHOSE: no such setting; did you mean CBI_WAREHOUSE\?"
    ):
        Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [("CBI_CORES", "0"), ("CBI_OPS_PORT", "70000"), ("CBI_LOG_LEVEL", "LOUD"), ("CBI_ACK_WAIT_S", "x")],
)
def test_a_value_that_does_not_fit_names_its_setting(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError) as caught:
        Settings.load()
    assert name in caught.value.line()
    assert "\n" not in caught.value.line()


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CBI_NATS_URL", "")
    assert Settings.load().nats_url is None


def test_settings_do_not_change_and_hide_the_password() -> None:
    settings = Settings.load().with_bus("nats://h:1", "u", "s3cret")
    assert "s3cret" not in repr(settings)
    with pytest.raises(ValidationError):
        settings.market = "x"  # type: ignore[misc]
    with pytest.raises(UsageError, match="setting colour"):
        Settings.load(colour="red")


@pytest.mark.parametrize(
    ("lake", "folder"),
    [("here/lake", "here/lake/.stack"), ("file:///tmp/lake", "/tmp/lake/.stack"), ("gs://bucket/lake", "var/stack")],
)
def test_the_stack_lives_beside_a_local_lake(lake: str, folder: str) -> None:
    settings = Settings.load(lake=lake)
    assert settings.stack_dir == Path(folder)
    assert settings.tracking_uri == f"sqlite:///{Path(folder).absolute()}/mlflow.db"


def test_a_bigquery_url_carries_the_settings_that_belong_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CBI_WAREHOUSE", "bigquery://some-project")
    assert Settings.load().warehouse == "bigquery://some-project"
    assert Settings.load().results_url == "bigquery://some-project/cbi_results"
    monkeypatch.setenv("CBI_BIGQUERY_ENDPOINT", "http://127.0.0.1:9050")
    monkeypatch.setenv("CBI_BIGQUERY_STORAGE_ENDPOINT", "127.0.0.1:9060")
    monkeypatch.setenv("CBI_BIGQUERY_READ", "rest")
    where = "endpoint=http://127.0.0.1:9050&storage=127.0.0.1:9060&read=rest"
    assert Settings.load().warehouse == f"bigquery://some-project?{where}"
    assert Settings.load().results_url == f"bigquery://some-project/cbi_results?{where}"
    # What the URL says itself goes before.
    own = Settings.load(warehouse="bigquery://some-project?read=storage", bigquery_timeout_s=5.0)
    assert parse_place(own.warehouse) == Place(
        "some-project", endpoint="http://127.0.0.1:9050", storage="127.0.0.1:9060", timeout_s=5.0
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "var/lake/results"),
        ({"lake": "gs://bucket/lake/"}, "gs://bucket/lake/results"),
        ({"warehouse": "bigquery://some-project", "results": "kept/here"}, "kept/here"),
        ({"results": "bigquery://other-project"}, "bigquery://other-project/cbi_results"),
        ({"results": "bigquery://other-project/mine"}, "bigquery://other-project/mine"),
    ],
)
def test_where_results_are_kept(given: dict[str, str], expected: str) -> None:
    assert Settings.load(**given).results_url == expected


MAIL = {
    "CBI_SMTP_HOST": "mail.example.com",
    "CBI_SMTP_FROM": "cbi@example.com",
    "CBI_SMTP_TO": "a@example.com, b@x.org",
}


def test_mail_is_set_up_by_its_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings.load().smtp_host is None
    for name, value in {**MAIL, "CBI_SMTP_USER": "u", "CBI_SMTP_PASSWORD": "s3cret"}.items():
        monkeypatch.setenv(name, value)
    settings = Settings.load()
    assert settings.smtp_to == ("a@example.com", "b@x.org")
    assert (settings.smtp_security, settings.smtp_port) == ("starttls", None)
    assert "s3cret" not in repr(settings)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"CBI_SMTP_HOST": ""}, "setting CBI_SMTP_HOST: not enough to send mail"),
        ({"CBI_SMTP_TO": ""}, "setting CBI_SMTP_TO: not enough to send mail"),
        ({"CBI_SMTP_TO": "a@example.com\nBcc: b@example.com"}, "smtp_to"),
        ({"CBI_SMTP_FROM": "nobody"}, "smtp_from"),
        ({"CBI_SMTP_USER": "u"}, "a login is a name and a password"),
        (
            {"CBI_SMTP_USER": "u", "CBI_SMTP_PASSWORD": "p", "CBI_SMTP_SECURITY": "none"},
            "it would send the password in the clear; use starttls or tls",
        ),
    ],
)
def test_half_a_mail_set_up_is_refused(monkeypatch: pytest.MonkeyPatch, changed: dict[str, str], says: str) -> None:
    for name, value in {**MAIL, **changed}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError) as refused:
        Settings.load()
    assert says in refused.value.line()
