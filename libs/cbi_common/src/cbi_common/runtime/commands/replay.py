"""``cbi replay``."""

from __future__ import annotations

from datetime import datetime

import click

from cbi_common.runtime.commands.options import examples

_PROFILES = ("smoke", "quick", "standard", "full")
_DAY = click.DateTime(["%Y-%m-%d"])


@click.command(
    epilog=examples(
        "cbi replay --warehouse tables --from 2024-06-01 --to 2025-05-16",
        "cbi replay --from 2023-01-02 --to 2023-12-29 --every 1m --json year.json",
        "cbi validate --lake var/lake-replay --source issued     the scores of what was issued, again",
    )
)
@click.option("--from", "start", type=_DAY, required=True, metavar="DATE", help="First day.")
@click.option("--to", "end", type=_DAY, required=True, metavar="DATE", help="Last day.")
@click.option("--every", metavar="STEP", default="1w", show_default=True, help="Step: 1d, 2d …, 1w, 2w …, 1m, 3m.")
@click.option(
    "--warehouse", metavar="simulated|arch|DIR|bigquery://PROJECT", help="Where the tables are [default: simulated]."
)
@click.option("--market", metavar="ID|FILE", help="Market to forecast, or a market file of your own [default: zl].")
@click.option("--profile", type=click.Choice(_PROFILES), default="quick", show_default=True, help="How much to train.")
@click.option(
    "--lake", metavar="DIR", help="Folder or URL of a lake of its own [default: the lake's name with -replay]."
)
@click.option("--json", "json_file", metavar="FILE", help="Write every step as JSON; - prints it instead of the table.")
def replay(
    start: datetime,
    end: datetime,
    every: str,
    warehouse: str | None,
    market: str | None,
    profile: str,
    lake: str | None,
    json_file: str | None,
) -> int:
    """Live through history, day by day.

    On each day the data known then are exported, models are trained, forecasts are issued, those that have matured are
    scored, drift is looked for, and where it asks for a retrain there is one: the same code, the same bus, and a clock
    that is set to that day. A replay that was interrupted goes on where it was.
    """
    from cbi_common.runtime.commands.reading import until_done
    from cbi_common.runtime.commands.replay_outcome import conclude
    from cbi_common.runtime.commands.replaying import ReplayRequest, replay, sessions_in
    from cbi_common.runtime.settings import Settings

    settings = Settings.load(warehouse=warehouse, market=market, lake=lake)
    if settings.tracking is None:
        # A leaderboard is of models that were trained, not of every day that one of them is taken back to.
        settings = settings.model_copy(update={"tracking": "off"})
    if lake is None:
        settings = settings.model_copy(update={"lake": f"{settings.lake.rstrip('/')}-replay"})
    request = ReplayRequest(
        settings=settings,
        profile=profile,  # type: ignore[arg-type]
        start=start.date(),
        end=end.date(),
        every=every,
        sessions=sessions_in(every),
    )
    return conclude(until_done(replay(request)), settings.lake, json_file)
