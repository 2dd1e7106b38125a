"""A market is a file: one that ships, or one of the user's own."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

from cbi_common.core.errors import UsageError
from cbi_common.events.data import DataRequested
from cbi_common.markets import Market, known_markets, load_market
from cbi_common.runtime.settings import Settings
from cbi_common.storage.lake import Lake
from cbi_common.storage.markets import market_of, put_market
from cbi_common.testing.walks import make_manifest, random_dataset

SHIPPED = files("cbi_common.markets")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    text = SHIPPED.joinpath("wti.toml").read_text(encoding="utf-8")
    (tmp_path / "mine.toml").write_text(text.replace('id = "wti"', 'id = "mine"'), encoding="utf-8")
    return tmp_path


def test_the_markets_that_ship() -> None:
    assert known_markets() == ("wti", "zl")


@pytest.mark.parametrize("market", known_markets())
def test_a_market_survives_the_lake_unchanged(market: str, tmp_path: Path) -> None:
    lake, one = Lake(str(tmp_path)), load_market(market)
    ref = put_market(lake, one)
    again = Market.model_validate(lake.get_json(ref))
    assert again == one
    assert again.sha256 == one.sha256
    assert ref.key == f"market/{one.sha256}"


def test_crude_oil_names_only_series_that_it_has() -> None:
    market = load_market("wti")
    assert (market.unit, market.price, market.regime.fear) == ("$/bbl", "wti", "vix")
    assert set(market.expected_signs) <= set(market.by_name)
    assert all(market.drivers_of(series) for series in market.expected_signs)
    assert set(market.group_of.values()) == set(market.groups)
    assert not market.by_name["vix"].required
    scaled = {name: getattr(market.regime, name) for name in ("crisis_volatility", "trend_return", "bull_volatility")}
    assert scaled == {name: pytest.approx(1.5 * getattr(load_market("zl").regime, name)) for name in scaled}


def test_a_market_of_ones_own_is_found_in_its_folder(folder: Path) -> None:
    assert load_market("mine", str(folder)).id == "mine"
    assert load_market("zl", str(folder)) == load_market("zl")
    assert DataRequested(market="mine").market == "mine"
    with pytest.raises(UsageError, match=r"no market 'gold'; known are: mine, wti, zl"):
        load_market("gold", str(folder))


def test_ones_own_file_goes_before_the_one_that_ships_and_changes_every_key(folder: Path) -> None:
    text = SHIPPED.joinpath("wti.toml").read_text(encoding="utf-8")
    (folder / "wti.toml").write_text(text.replace("lot_size = 1000", "lot_size = 100"), encoding="utf-8")
    own, shipped = load_market("wti", str(folder)), load_market("wti")
    assert (own.lot_size, shipped.lot_size) == (100, 1000)
    assert own.sha256 != shipped.sha256


def test_a_change_of_ones_own_file_is_seen_at_once(folder: Path) -> None:
    file = folder / "mine.toml"
    before = load_market("mine", str(folder)).sha256
    file.write_text(file.read_text(encoding="utf-8").replace("lot_size = 1000\n", ""), encoding="utf-8")
    after = load_market("mine", str(folder))
    assert after.lot_size is None
    assert after.sha256 != before


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("other.toml", None, "id is 'mine'; a file is called as its market: mine.toml"),
        ("mine.toml", "id = ", "not TOML"),
        ("mine.toml", "\xff", "cannot be read"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(folder: Path, name: str, text: str | None, says: str) -> None:
    content = (folder / "mine.toml").read_bytes() if text is None else text.encode("latin-1")
    (folder / name).write_bytes(content)
    with pytest.raises(UsageError) as caught:
        load_market(name.removesuffix(".toml"), str(folder))
    assert says in caught.value.line()
    assert str(folder / name) in caught.value.line()
    assert "\n" not in caught.value.line()


def test_no_such_folder() -> None:
    with pytest.raises(UsageError, match="no such folder"):
        load_market("zl", "/no/such/folder")


def test_a_path_stands_for_the_market_and_its_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for settings in (
        Settings.load(market=str(folder / "mine.toml")),
        Settings.load(market="mine", markets=str(folder)),
    ):
        assert (settings.market, settings.markets) == ("mine", str(folder))
    monkeypatch.setenv("CBI_MARKET", str(folder / "mine.toml"))
    assert (Settings.load().market, Settings.load().markets) == ("mine", str(folder))
    assert Settings.load(market="wti").market == "wti"
    with pytest.raises(UsageError, match="no such file"):
        Settings.load(market=str(folder / "gold.toml"))


def test_other_services_know_the_market_from_the_manifest_alone(folder: Path, tmp_path: Path) -> None:
    lake, mine = Lake(str(tmp_path / "lake")), load_market("mine", str(folder))
    bench, _ = make_manifest(lake, random_dataset())
    own = bench.model_copy(update={"market": "mine", "market_file": put_market(lake, mine)})
    (folder / "mine.toml").unlink()
    assert market_of(lake, own) == mine
    assert market_of(lake, bench) == load_market("zl")
    assert own.run_id != bench.run_id
