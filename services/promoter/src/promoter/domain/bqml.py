"""The BigQuery statement that writes the benchmark's predictions, one row per horizon and day, when they are made."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from cbi_common.core.errors import UsageError
from cbi_common.core.horizon import Horizon

_NAME = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){1,2}")
_COLUMN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Names:
    """What is called how; ``{horizon}`` stands for 1w … 12m.

    Attributes
    ----------
    table : where the predictions go
    model : a trained model of BigQuery ML
    features : table or view with a column ``date`` and what the model wants
    label : column that the model was trained on, a price in the market's unit
    """

    table: str
    model: str
    features: str
    label: str

    def of(self, horizon: Horizon) -> Names:
        """Return the names of one horizon.

        Raises
        ------
        UsageError
            When one of them is no name of BigQuery: nothing else may get into the statement.
        """
        filled = [
            name.replace("{horizon}", str(horizon)) for name in (self.table, self.model, self.features, self.label)
        ]
        for name, pattern in zip(filled, (_NAME, _NAME, _NAME, _COLUMN), strict=True):
            if not pattern.fullmatch(name):
                raise UsageError(
                    f"{name!r} is no name in BigQuery", where="export-sql", hint="as in project.dataset.table"
                )
        return Names(*filled)


def statement(names: Names, sessions: Sequence[date]) -> str:
    """Return the statement; run on the evening of each session it adds that day's predictions.

    Parameters
    ----------
    names : Names
    sessions : of the exchange, ascending
        The statement works for the days from which on a whole year of them lies ahead.
    """
    days = ", ".join(f"'{day.isoformat()}'" for day in sessions)
    table = names.of(Horizon.W1).table
    made = "\n  UNION ALL\n".join(_part(names.of(horizon), horizon) for horizon in Horizon)
    return f"""-- Adds one row per horizon for the newest day; sessions from {sessions[0]} to {sessions[-1]}.
-- Only what is written before its target date counts: schedule it daily, do not run it over the past.
CREATE TABLE IF NOT EXISTS `{table}` (
  horizon STRING, cutoff DATE, target DATE, predicted_price FLOAT64, made_at TIMESTAMP
);
INSERT INTO `{table}`
WITH sessions AS (
  SELECT DATE(day) AS day, n FROM UNNEST([{days}]) AS day WITH OFFSET AS n
),
made AS (
{made}
)
SELECT made.horizon, made.cutoff, after.day, made.predicted_price, CURRENT_TIMESTAMP()
FROM made
JOIN sessions AS before ON before.day = made.cutoff
JOIN sessions AS after ON after.n = before.n + made.ahead;
"""  # noqa: S608  # only days, and names that `Names.of` has let pass


def _part(names: Names, horizon: Horizon) -> str:
    newest = f"(SELECT MAX(date) FROM `{names.features}`)"  # noqa: S608
    return f"""  SELECT
    '{horizon}' AS horizon, {horizon.sessions} AS ahead, date AS cutoff, predicted_{names.label} AS predicted_price
  FROM ML.PREDICT(MODEL `{names.model}`, (SELECT * FROM `{names.features}` WHERE date = {newest}))"""  # noqa: S608
