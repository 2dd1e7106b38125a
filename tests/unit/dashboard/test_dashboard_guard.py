"""Who may come in, how often, and what may be sent."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from cbi_common.core.errors import UsageError
from cbi_common.reporting.projection import Runs
from cbi_common.runtime.settings import Settings
from cbi_common.storage.lake import Lake
from cbi_common.testing.story import START, Story
from dashboard.adapters.gateway import default_gateway
from dashboard.adapters.guard import COOKIE, SESSION_S, Access, Guard
from dashboard.domain.bucket import Buckets
from dashboard.domain.known import Known
from dashboard.handlers import create_api

TOKEN = "a-token-of-some-length"


class Recorder:
    """Actions that are only written down."""

    def __init__(self) -> None:
        self.done: list[tuple[Any, ...]] = []

    async def replay(self, *said: Any) -> None:
        self.done.append(("replay", *said))

    async def run(self, *said: Any) -> str:
        self.done.append(("run", *said))
        return "id"


class Site:
    """A guarded application with a clock of its own."""

    def __init__(self, access: Access, base: str = "http://127.0.0.1:8050", client: str = "127.0.0.1") -> None:
        self.now, self.actions = START.timestamp(), Recorder()
        self.access = access = replace(access, clock=lambda: self.now)
        known = Known(Runs(Story().whole()))
        api = create_api(known, lambda: START, Lake("memory://guard"), actions=self.actions, access=access)  # type: ignore[arg-type]
        guard = Guard(api, access)
        self.client = TestClient(guard, base_url=base, client=(client, 50_000), follow_redirects=False)

    def form(self, path: str, headers: dict[str, str] | None = None, **fields: object) -> Any:
        return self.client.post(path, data=fields, headers=headers or {})


ROUTES = """Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT
eth0\t000012AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
eth0\t00000000\t010012AC\t0003\t0\t0\t0\t00000000\t0\t0\t0
"""


def test_in_a_container_only_the_host_comes_in_without_a_login(tmp_path: Path) -> None:
    (tmp_path / "route").write_text(ROUTES if sys.byteorder == "little" else ROUTES.replace("010012AC", "AC120001"))
    access = Access(gateway=lambda: default_gateway(tmp_path / "route"))
    assert Site(access, client="172.18.0.1").client.get("/").status_code == 200
    assert Site(access, client="172.18.0.7").client.get("/api/predictions").status_code == 403
    assert Site(access, "http://evil.example", client="172.18.0.1").client.get("/").status_code == 421
    (tmp_path / "route").write_text(ROUTES.splitlines()[0])
    assert Site(access, client="172.18.0.1").client.get("/").status_code == 403


def test_without_a_login_only_the_loopbacks_names_are_answered() -> None:
    assert Site(Access()).client.get("/").status_code == 200
    assert Site(Access(), "http://localhost").client.get("/").status_code == 200
    assert Site(Access(), "http://[::1]:8050").client.get("/").status_code == 200
    rebound = Site(Access(), "http://evil.example").client.get("/api/predictions")
    assert rebound.status_code == 421
    assert "point" not in rebound.text


@pytest.mark.parametrize("path", ["/", "/api/predictions", "/api/stream", "/openapi.json", "/runs", "/actions/run"])
def test_with_a_token_nothing_is_shown_before_the_login(path: str) -> None:
    answer = Site(Access(token=TOKEN), "http://cbi.example").client.get(path)
    assert answer.status_code in (303, 401)
    assert "Soybean" not in answer.text
    if answer.status_code == 303:
        assert answer.headers["location"].startswith("/login?next=/")


def test_a_program_logs_in_with_a_header() -> None:
    client = Site(Access(token=TOKEN), "http://cbi.example").client
    assert client.get("/api/predictions", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200
    for wrong in ("Bearer x", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer", "", "Bearer " + "é"):
        assert client.get("/api/predictions", headers={"authorization": wrong.encode()}).status_code == 401


def test_a_person_logs_in_with_a_form_and_is_let_in_for_half_a_day() -> None:
    site = Site(Access(token=TOKEN, secret=b"s"), "http://cbi.example")
    wrong = site.form("/login", token="not it", next="/why")
    assert (wrong.status_code, "not the token" in wrong.text) == (401, True)
    right = site.form("/login", token=TOKEN, next="/why")
    assert (right.status_code, right.headers["location"]) == (303, "/why")
    said = right.headers["set-cookie"].lower()
    assert "httponly" in said
    assert "samesite=strict" in said
    assert site.client.get("/").status_code == 200
    site.now += SESSION_S + 1
    assert site.client.get("/").status_code == 303


@pytest.mark.parametrize("cookie", ["", "1.x", "99999999999.x", "99999999999", ".", "a.b.c", '"'])
def test_a_made_up_session_is_none(cookie: str) -> None:
    client = Site(Access(token=TOKEN), "http://cbi.example").client
    assert client.get("/api/runs", headers={"cookie": f"{COOKIE}={cookie}"}).status_code == 401
    other = Access(token="another-token-entirely").session()
    assert client.get("/api/runs", headers={"cookie": f"{COOKIE}={other}"}).status_code == 401


@pytest.mark.parametrize("then", ["//evil.example", "https://evil.example", "/\\evil.example", "evil", "/a\r\nb: c"])
def test_a_login_leads_nowhere_else(then: str) -> None:
    site = Site(Access(token=TOKEN), "http://cbi.example")
    assert site.form("/login", token=TOKEN, next=then).headers["location"] == "/"


def test_a_name_is_believed_from_the_proxy_only() -> None:
    access = Access(user_header="x-auth-request-email", proxies=frozenset({"10.0.0.2"}))
    said = {"x-auth-request-email": "chris@example.com"}
    assert Site(access, "http://cbi.example", "10.0.0.2").client.get("/", headers=said).status_code == 200
    assert Site(access, "http://cbi.example", "10.0.0.2").client.get("/api/runs").status_code == 401
    assert Site(access, "http://cbi.example", "10.0.0.9").client.get("/api/runs", headers=said).status_code == 401


def test_an_action_is_recorded_with_the_name_of_who_did_it() -> None:
    access = Access(user_header="x-user", secret=b"s")
    site = Site(access, client="127.0.0.1")
    said = {"x-user": "kirk", "origin": "http://127.0.0.1:8050", "sec-fetch-site": "same-origin"}
    assert site.form("/actions/replay", said, csrf=access.csrf, number=3).status_code == 303
    asked = site.form("/actions/run", said, csrf=access.csrf, market="zl", profile="quick", seen=7)
    assert (asked.status_code, asked.headers["location"]) == (303, "/runs")
    assert site.actions.done == [("replay", 3, "kirk"), ("run", "zl", "quick", "kirk", 7)]


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"cookie": "cbi_session=x"},
    ],
)
def test_a_form_from_another_site_is_refused(headers: dict[str, str]) -> None:
    access = Access()
    site = Site(access)
    assert site.form("/actions/replay", headers, csrf=access.csrf, number=3).status_code == 403
    assert site.actions.done == []


@pytest.mark.parametrize(
    "fields",
    [
        {"number": "3"}, {"csrf": "x", "number": "3"}, {"csrf": None, "number": "x"}, {"csrf": None, "number": "-1"},
        {"csrf": None, "number": "9" * 40}, {"csrf": None, "pad": "x" * 20_000},
    ],
)  # fmt: skip
def test_a_form_that_is_not_ours_or_not_whole_is_refused(fields: dict[str, str | None]) -> None:
    access = Access(secret=b"s")
    site = Site(access)
    told = {name: access.csrf if value is None else value for name, value in fields.items()}
    assert site.form("/actions/replay", **told).status_code == 400
    assert site.form("/actions/run", **told, profile="quick", market="zl").status_code == 400
    assert site.form("/actions/run", csrf=access.csrf, profile="tiny", market="zl", seen=1).status_code == 400
    assert site.actions.done == []


def test_the_forms_stand_on_the_page_only_where_they_work() -> None:
    access = Access(secret=b"s")
    assert access.csrf in Site(access).client.get("/runs").text
    readonly = TestClient(create_api(Known(), lambda: START, Lake("memory://guard")))
    assert "<form" not in readonly.get("/runs").text
    assert readonly.post("/actions/run").status_code in (404, 405)


def test_too_many_requests_are_told_when_to_come_again() -> None:
    site = Site(Access(rate=1, burst=3))
    codes = [site.client.get("/api/runs").status_code for _ in range(5)]
    assert codes == [200, 200, 200, 429, 429]
    assert int(site.client.get("/api/runs").headers["retry-after"]) >= 1
    site.now += 2
    assert site.client.get("/api/runs").status_code == 200


def test_guessing_tokens_is_slow() -> None:
    site = Site(Access(token=TOKEN))
    codes = [site.form("/login", token=str(i)).status_code for i in range(12)]
    assert codes == [401] * 10 + [429] * 2
    assert site.form("/login", token=TOKEN).status_code == 429


@given(st.lists(st.floats(0, 3), min_size=1, max_size=60), st.floats(0.5, 5), st.integers(1, 10))
def test_no_client_gets_more_than_the_burst_and_the_rate(gaps: list[float], rate: float, burst: int) -> None:
    buckets, now, taken = Buckets(rate, burst), 0.0, 0
    for gap in gaps:
        now += gap
        taken += buckets.take("a", now) == 0
        assert taken <= burst + rate * now + 1e-6
    assert buckets.take("another", now) == 0


def test_old_clients_are_forgotten() -> None:
    buckets = Buckets(rate=1, burst=1, clients=2)
    assert [buckets.take(name, 0.0) for name in ("a", "b", "c", "a")] == [0, 0, 0, 0]


@pytest.mark.parametrize("path", ["/", "/api/predictions", "/nowhere", "/static/style.css", "/api/nowhere"])
def test_every_answer_carries_the_safe_headers(path: str) -> None:
    headers = Site(Access()).client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["referrer-policy"] == "same-origin"


def test_another_address_than_the_loopbacks_needs_a_login(tmp_path: Any) -> None:
    with pytest.raises(UsageError, match="needs a login"):
        Settings.load(dashboard_host="0.0.0.0")  # whatever the port: a command may choose it later
    with pytest.raises(UsageError, match="too short"):
        Settings.load(dashboard_token="short")
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    settings = Settings.load(dashboard_host="0.0.0.0", dashboard_port=0, dashboard_token_file=str(file))
    assert Access.of(settings).fits(TOKEN)
    assert not Access.of(settings).fits("")
    file.write_text("short")
    with pytest.raises(UsageError, match="too short"):
        Access.of(settings)
    with pytest.raises(UsageError, match="cannot be read"):
        Access.of(Settings.load(dashboard_token_file=str(tmp_path / "none")))


def test_the_token_is_not_in_the_settings_words() -> None:
    settings = Settings.load(dashboard_token=TOKEN)
    assert TOKEN not in repr(settings)
    assert TOKEN not in repr(Access.of(settings))
