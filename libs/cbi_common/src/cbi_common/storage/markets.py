"""Market files in the lake: services other than ingest know a market from the run's manifest, not from a folder."""

from __future__ import annotations

from cbi_common.events.base import LakeRef
from cbi_common.events.manifest import RunManifest
from cbi_common.markets.files import load_market
from cbi_common.markets.spec import Market
from cbi_common.storage.lake import Lake


def put_market(lake: Lake, market: Market) -> LakeRef:
    """Store a market under the digest of its content."""
    return lake.put_json(f"market/{market.sha256}", market.model_dump(mode="json"))


def market_of(lake: Lake, manifest: RunManifest) -> Market:
    """Return the market of a run as the run knew it, wherever its file came from.

    Raises
    ------
    InfrastructureError
        When the object is missing or damaged.
    """
    if manifest.market_file is None:
        return load_market(manifest.market)
    return Market.model_validate(lake.get_json(manifest.market_file))
