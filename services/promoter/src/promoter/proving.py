"""Which proofs there are for a run."""

from __future__ import annotations

from cbi_common.events.base import LakeRef
from cbi_common.events.forecast import ForecastReady
from cbi_common.events.manifest import RunManifest
from cbi_common.events.proofs import ceiling_key, leakage_key
from cbi_common.runtime.program import program_digest
from cbi_common.storage.lake import Lake
from cbi_common.storage.markets import market_of


def proofs_of(lake: Lake, forecast: ForecastReady) -> tuple[LakeRef, ...]:
    """Return the proofs in the lake that concern a forecast."""
    manifest = RunManifest.model_validate(lake.get_json(forecast.manifest))
    leakage = leakage_key(
        code=program_digest(),
        market=market_of(lake, manifest).sha256,
        catalogue=manifest.catalogue_sha256,
        profile=manifest.profile,
    )
    keys = (leakage, ceiling_key(manifest.run_id))
    return tuple(ref for key in keys if (ref := lake.find(key)) is not None)
