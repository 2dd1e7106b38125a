"""A market as data: where its series lie, what is made of them, which drivers and eras it knows."""

from cbi_common.markets.files import known_markets, load_market
from cbi_common.markets.spec import Bar, FeatureSpec, Market, RegimeRules, SeriesSpec

__all__ = ["Bar", "FeatureSpec", "Market", "RegimeRules", "SeriesSpec", "known_markets", "load_market"]
