"""The blend as a BigQuery view over the recorded forecasts, for whoever checks or plots it there."""

from __future__ import annotations

from collections.abc import Iterable

from cbi_common.core.errors import UsageError

VIEW, TABLE = "blend", "forecasts"
_NAME = "abcdefghijklmnopqrstuvwxyz0123456789_"


def blend_view(project: str, dataset: str, models: Iterable[str]) -> str:
    """Return the statement that makes the view: a row per recorded forecast, its point computed anew from its members.

    Parameters
    ----------
    project, dataset : str
        Where the results are recorded.
    models : iterable of str
        Every model that may be a member: the catalogue's ids.

    Raises
    ------
    UsageError
        When an id cannot stand in a JSON path.
    """
    terms = "\n    + ".join(_term(model) for model in sorted(models))
    source = f"`{project}.{dataset}.{TABLE}`"
    # Every part has been checked: the names of the place by its URL, the models' below.
    return f"""CREATE OR REPLACE VIEW `{project}.{dataset}.{VIEW}` AS
SELECT
  day, time, market, horizon, run_id, simulated, provisional, combiner, `current`, point,
  `current` * EXP(
    {terms}
  ) AS blended
FROM {source}
WHERE missing IS NULL;
"""  # noqa: S608


def _term(model: str) -> str:
    if not model or set(model) - set(_NAME):
        raise UsageError(f"model id {model!r} cannot stand in a JSON path", where="blend view", hint="rename it")
    weight, said = (f"CAST(JSON_VALUE({column}, '$.{model}') AS FLOAT64)" for column in ("members", "member_returns"))
    return f"COALESCE({weight} * {said}, 0.0)"
