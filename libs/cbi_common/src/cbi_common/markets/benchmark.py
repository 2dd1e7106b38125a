"""What a market file may say of a benchmark: forecasts of somebody else, that a candidate has to beat."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from cbi_common.core.horizon import Horizon

Share = Annotated[float, Field(gt=0, lt=10)]


class BenchmarkSpec(BaseModel):
    """Where the predictions of the benchmark lie: one row per horizon and cutoff.

    The columns are those of the statement that ``cbi benchmark export-sql`` prints: ``horizon`` (1w … 12m), ``cutoff``
    and ``target`` (days), ``predicted_price`` (in the market's unit) and ``made_at`` (when the row was written).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = "BQML"
    table: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]+\.[A-Za-z0-9_]+$")]
    declared_mape: dict[Horizon, Share] = {}
    """MAPE that somebody has told of, as fractions. It is shown beside the candidate's, and proves nothing."""
