"""Asks the serving process what a forecast would be if a driver had moved."""

from __future__ import annotations

from typing import Any

import httpx

from cbi_common.core.errors import IncompleteError, InfrastructureError, UsageError
from cbi_common.core.horizon import Horizon
from dashboard.domain.scenario import ScenarioAnswer

_PATIENCE_S = 10.0
_HINT = "`cbi up` keeps one; else start `cbi serve --newest` and set CBI_SERVING_URL"


class Scenarios:
    """Questions of what-if.

    Parameters
    ----------
    url : str or None
        Of ``cbi serve --newest``; None: there is none.
    """

    def __init__(self, url: str | None) -> None:
        self._url = url

    @property
    def known(self) -> bool:
        """Whether there is anybody to ask."""
        return self._url is not None

    async def ask(self, run_id: str, horizon: Horizon, driver: str, move: float) -> ScenarioAnswer:
        """Return the forecast of a run with and without a move.

        Raises
        ------
        IncompleteError
            When there is nobody to ask.
        UsageError
            When there is no such driver, or it cannot move so.
        InfrastructureError
            When the process does not answer, or has not taken up this run yet.
        """
        if self._url is None:
            raise IncompleteError("nobody answers questions of what-if", hint=_HINT)
        asked = {"horizon": str(horizon)}
        body = {"instances": [asked, {**asked, "moves": {driver: move}}]}
        try:
            async with httpx.AsyncClient(timeout=_PATIENCE_S, trust_env=False) as client:
                said = await client.post(f"{self._url}/predict", json=body)
            told: dict[str, Any] = said.json()
        except (httpx.HTTPError, ValueError) as error:
            what = f"it does not answer: {type(error).__name__}"
            raise InfrastructureError(what, where="serving process", hint=_HINT) from None
        if said.status_code == httpx.codes.BAD_REQUEST:
            raise UsageError(str(told.get("detail", ""))[:300])
        if said.status_code != httpx.codes.OK:
            raise InfrastructureError(str(told.get("detail", ""))[:300], where="serving process", hint="try again soon")
        return _answer(run_id, driver, move, *told["predictions"])


def _answer(run_id: str, driver: str, move: float, plain: dict[str, Any], moved: dict[str, Any]) -> ScenarioAnswer:
    if (plain["run_id"], moved["run_id"]) != (run_id, run_id):
        what = f"it still answers from run {plain['run_id']}"
        raise InfrastructureError(what, where="serving process", hint="try again in a moment")
    prices = ("point", "lower_90", "upper_90")
    return ScenarioAnswer(
        **{name: plain[name] for name in ("run_id", "as_of", "simulated", "unit", "horizon", *prices)},
        **{f"moved_{name}": moved[name] for name in prices},
        driver=driver,
        move=move,
        changed=moved["changed"],
    )
