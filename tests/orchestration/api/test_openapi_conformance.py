"""The served API against its own OpenAPI description, with requests that schemathesis makes up."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import httpx
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import CheckContext
from schemathesis.core.transport import Response
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

EXAMPLES = 8
# What cannot be done at this moment, and is said so: no defect of the server.
NOT_NOW = {"no-capable-agent", "executor-not-available"}


def no_defect(_context: CheckContext, response: Response, _case: schemathesis.Case) -> None:
    """Refuse every answer that blames the server."""
    if response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
        return
    assert response.json()["code"] in NOT_NOW, response.text


CHECKS: Any = [
    no_defect,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


def test_every_route_answers_as_its_description_says(client: httpx.Client) -> None:
    """Item 9: nothing that can be sent makes a 5xx, and every answer conforms to its schema."""
    schema = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) > 15
    for operation in operations:

        @settings(
            max_examples=EXAMPLES,
            derandomize=True,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(operation.as_strategy())
        def answers_as_described(case: schemathesis.Case) -> None:
            case.call_and_validate(base_url=str(client.base_url).rstrip("/"), checks=CHECKS)

        answers_as_described()
