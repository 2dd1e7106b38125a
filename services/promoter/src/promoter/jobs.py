"""What runs in a child process: gathering the evidence of a run and putting it to the gates."""

from __future__ import annotations

from typing import Any

from cbi_common.events.base import LakeRef
from cbi_common.events.explanation import ExplanationReady
from cbi_common.events.forecast import ForecastReady
from cbi_common.events.promotion import GatesJudged
from cbi_common.storage.lake import Lake
from promoter.domain.gates import judge
from promoter.domain.policy import load_policies
from promoter.gathering import Gathering, Judged


def evaluate(arg: dict[str, Any]) -> dict[str, Any]:
    """Put every horizon of a forecast to the gates.

    Parameters
    ----------
    arg : dict
        ``lake`` (URL), ``forecast`` (data of `ForecastReady`), ``explained`` (data of `ExplanationReady`), ``proofs``
        (list of LakeRef), ``policy`` (the one that decides) and ``key`` (lake key of the result).

    Returns
    -------
    dict
        Data of `GatesJudged`, as stored under ``key``.
    """
    lake, forecast = Lake(arg["lake"]), ForecastReady.model_validate(arg["forecast"])
    explained = ExplanationReady.model_validate(arg["explained"])
    gathering = Gathering(lake, Judged(forecast, explained, tuple(LakeRef.model_validate(p) for p in arg["proofs"])))
    gates = {
        horizon: judge(gathering.of(horizon), load_policies())
        for horizon in sorted(forecast.forecasts, key=lambda h: h.sessions)
    }
    data = GatesJudged(
        market=forecast.market,
        run_id=forecast.run_id,
        as_of=forecast.as_of,
        simulated=forecast.simulated,
        policy=arg["policy"],
        gates=gates,
        passed=tuple(h for h, report in gates.items() if report.policies[arg["policy"]].verdict == "pass"),
    ).model_dump(mode="json")
    lake.put_json(arg["key"], data)
    return data
