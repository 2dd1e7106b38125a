"""Every described route, asked with whatever its description allows and does not allow, by schemathesis."""

from __future__ import annotations

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from cbi_common.reporting.projection import Runs
from cbi_common.storage.lake import Lake
from cbi_common.testing.past import days_of
from cbi_common.testing.story import START
from dashboard.domain.known import Known
from dashboard.handlers import create_api

_LAKE = Lake("memory://dashboard-fuzz")
API = schemathesis.openapi.from_asgi("/openapi.json", create_api(Known(Runs(days_of(_LAKE, 2))), lambda: START, _LAKE))


@API.parametrize()
@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_no_question_breaks_a_route(case: schemathesis.Case) -> None:
    answer = case.call()
    checks = [status_code_conformance, response_schema_conformance, content_type_conformance]
    if answer.status_code != 503:  # there is no such number: said so, and described
        checks.append(not_a_server_error)
    case.validate_response(answer, checks=checks)
