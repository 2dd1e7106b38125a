"""A name from outside names something that is listed, or nothing: no key, table, market or run is a path."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from urllib.parse import quote, unquote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.types import ASGIApp, Message

from cbi_common.core.errors import CbiError, DataError, InfrastructureError, UsageError
from cbi_common.core.horizon import Horizon
from cbi_common.events.base import LakeRef
from cbi_common.markets import load_market
from cbi_common.reporting.projection import Runs
from cbi_common.runtime.state import check_key
from cbi_common.storage.bigquery_stream import quoted, restriction
from cbi_common.storage.bigquery_url import parse_place
from cbi_common.storage.day_range import DayRange
from cbi_common.storage.lake import Lake
from cbi_common.storage.result_rows import kind_named
from cbi_common.storage.warehouse import FolderWarehouse
from cbi_common.testing.story import START, Story
from dashboard.adapters.guard import COOKIE, Access, Guard
from dashboard.domain.known import Known
from dashboard.handlers import create_api
from promoter.domain.bqml import Names

SECRET = "the-content-of-a-file-outside"
STEPS = [
    "..", ".", "", "/", "//", "\\", "..\\..", "~", "%2e%2e", "%2E%2E%2F", "%252e%252e", "%c0%ae", "..%00", "\x00", "\n",
    "\u2024\u2024", "\uff0e\uff0e", "\uff0f", "\u2215", "\u202e", "etc", "passwd", "secret", "C:", "file:", "refs",
    "a", "zl", "shop.tea", "`", "'", '"', ";", "--", "*", "?", "[", "$(id)", "|", "\ud800", "\u0301",
]  # fmt: skip
hostile = st.one_of(
    st.lists(st.sampled_from(STEPS), min_size=1, max_size=6).map("/".join),
    st.lists(st.sampled_from(STEPS), min_size=1, max_size=6).map("".join),
    st.text(max_size=30),
)
many = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a lake and a warehouse in it, and secrets all around them."""
    root = tmp_path_factory.mktemp("place")
    for folder in ("", "lake", "lake/refs", "lake/cas", "tables", "markets"):
        (root / folder).mkdir(exist_ok=True)
        (root / folder / "secret").write_text(SECRET)
        (root / folder / "secret.json").write_text(SECRET)
        (root / folder / "secret.toml").write_text(SECRET)
    pq.write_table(pa.table({"a": [1]}), root / "tables" / "shop.tea.parquet")
    pq.write_table(pa.table({"a": [1]}), root / "shop.secret.parquet")
    return root


@many
@given(key=hostile)
def test_no_key_reads_or_writes_outside_the_lake(place: Path, key: str) -> None:
    lake = Lake(str(place / "lake"))
    before = {path for path in place.rglob("*") if "lake/refs" not in str(path) and "lake/cas" not in str(path)}
    for use in (lake.find, lake.get_if_intact, lambda k: lake.put(k, b"x")):
        try:
            found = use(key)
        except InfrastructureError:
            continue
        else:
            assert found is None or SECRET.encode() not in (found if isinstance(found, bytes) else b"")
    assert {p for p in place.rglob("*") if "lake/refs" not in str(p) and "lake/cas" not in str(p)} == before


@many
@given(key=hostile, sha256=hostile)
def test_no_claim_check_names_anything_else(key: str, sha256: str) -> None:
    with pytest.raises(ValueError, match="sha256"):
        LakeRef(key=key, sha256=sha256, size_bytes=1)


@many
@given(table=hostile)
def test_no_table_name_leads_out_of_the_folder(place: Path, table: str) -> None:
    warehouse = FolderWarehouse(place / "tables")
    for use in (warehouse.read, warehouse.schema, warehouse.rows, warehouse.size, warehouse.fingerprint):
        if table == "shop.tea":
            continue
        with pytest.raises(DataError, match="no such table"):
            use(table)


def test_links_lead_to_tables_and_to_nothing_else(place: Path, tmp_path: Path) -> None:
    (tmp_path / "shop.away.parquet").symlink_to(place / "shop.secret.parquet")
    (tmp_path / "shop.text.parquet").symlink_to(place / "secret")
    (tmp_path / "shop.device.parquet").symlink_to("/dev/zero")
    (tmp_path / "shop.round.parquet").symlink_to(tmp_path / "shop.round.parquet")
    (tmp_path / "shop.gone.parquet").symlink_to(tmp_path / "gone")
    (tmp_path / "shop.folder.parquet").mkdir()
    os.mkfifo(tmp_path / "shop.pipe.parquet")
    warehouse = FolderWarehouse(tmp_path)
    assert warehouse.tables() == ("shop.away", "shop.text")
    with pytest.raises(DataError, match="cannot be read") as caught:
        warehouse.read("shop.text")
    assert SECRET not in caught.value.line()


@many
@given(market=hostile)
def test_no_market_id_leads_to_a_file(place: Path, market: str) -> None:
    if market in ("zl", "wti"):
        return
    with pytest.raises(UsageError) as caught:
        load_market(market, str(place / "markets"))
    assert SECRET not in caught.value.line()


@many
@given(name=hostile)
def test_no_state_key_or_kind_of_result_is_made_up(name: str) -> None:
    with pytest.raises(UsageError):
        kind_named(name)
    try:
        check_key(name)
    except InfrastructureError:
        return
    assert not set(name) & set("*> \t\r\n\x00")
    assert ".." not in name


@pytest.fixture(scope="module")
def pages() -> ASGIApp:
    access = Access(rate=1e9, burst=1e9)
    return Guard(create_api(Known(Runs(Story().whole())), lambda: START, Lake("memory://names"), access=access), access)


async def asked(app: ASGIApp, path: str) -> tuple[int, dict[str, str], str]:
    """Ask for a path as it stands: a client would mend it first."""
    said: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        said.append(message)

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": unquote(path), "raw_path": path.encode("ascii"), "query_string": b"", "root_path": "",
        "headers": [(b"host", b"127.0.0.1:8050")], "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8050),
    }  # fmt: skip
    await app(scope, receive, send)
    headers = {name.decode(): value.decode("latin-1") for name, value in said[0]["headers"]}
    body = b"".join(message.get("body", b"") for message in said[1:])
    return said[0]["status"], headers, body.decode("utf-8", "replace")


@many
@given(run=hostile, page=st.sampled_from(["/runs/", "/api/runs/", "/static/", "/api/explain/", "/", "/api/quality/"]))
def test_no_address_leads_to_a_file_or_breaks_the_page(pages: ASGIApp, run: str, page: str) -> None:
    raw = run.encode("utf-8", "replace")
    for path in (quote(raw, safe=""), quote(raw, safe="/%.")):
        status, headers, text = asyncio.run(asked(pages, page + path))
        assert status in (200, 307, 308, 400, 404, 405, 422)
        assert "root:" not in text
        assert "from __future__" not in text
        assert not headers.get("location", "/").startswith(("//", "/\\"))
        assert headers["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.parametrize("cookie", ["é.é", "9.\u00e9", '"\\351.\\351"', "." * 5000, "9" * 5000 + ".x", "٣.x"])
def test_no_cookie_breaks_the_login(cookie: str) -> None:
    access = Access(token="a-token-of-some-length", secret=b"x" * 32)
    app = Guard(create_api(Known(), lambda: START, Lake("memory://names"), access=access), access)
    client = TestClient(app, base_url="http://127.0.0.1:8050")
    header = f"{COOKIE}=".encode() + cookie.encode("utf-8")
    assert client.get("/api/runs", headers={b"cookie": header}).status_code == 401


@many
@given(name=hostile)
def test_no_column_ends_its_quotes_in_a_query(name: str) -> None:
    try:
        said = restriction(DayRange(name), "DATE")
    except DataError:
        return
    assert said == f"`{name}` IS NOT NULL"
    assert said.count("`") == 2
    assert "\\" not in said


@pytest.mark.parametrize("name", ["a` OR 1=1 --", "a\\", "a\nb", "`", "\x00"])
def test_a_column_that_would_is_refused(name: str) -> None:
    with pytest.raises(DataError, match="cannot be named in a query"):
        quoted(name)


@many
@given(name=hostile)
def test_no_project_or_table_of_a_statement_is_more_than_a_name(name: str) -> None:
    for attempt in (
        lambda: parse_place(f"bigquery://{name}").project,
        lambda: parse_place(f"bigquery://project-1/{name}").dataset,
        lambda: Names(name, "p.d.m", "p.d.f", "label").of(Horizon.W1).table,
        lambda: Names("p.d.t", "p.d.m", "p.d.f", name).of(Horizon.W1).label,
    ):
        try:
            found = attempt()
        except CbiError:
            continue
        else:
            assert not set(found) & set("`'\"\\; \n\x00")
