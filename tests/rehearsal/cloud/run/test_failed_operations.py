"""Rollouts that fail by a fault rule look as those that fail by themselves."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize(
    ("preset", "expected"),
    [
        ("CONTAINER_FAILED", (9, "The user-provided container failed to start and listen")),
        ("IMAGE_NOT_FOUND", (5, "Image not found.")),
        ("SECRET_DENIED", (13, "Permission denied on secret for Revision service account.")),
    ],
)
def test_an_operation_fails_in_googles_words(
    run: Any, echo: str, expect: Any, preset: str, expected: tuple[int, str]
) -> None:
    """It names the revision that is not ready, and the service tells the same."""
    match = {"method": "run.projects.locations.services.create"}
    rule = {"match": match, "times": 1, "lro_error": {"preset": preset}}
    expect(run.client.put("/_local/faults", json={"rules": [rule]}))
    error = run.create("worker", run.template(echo))["error"]
    failed = run.get("worker")
    revision = failed["latestCreatedRevision"].rsplit("/", 1)[-1]
    code, told = expected
    begins = f"Revision '{revision}' is not ready and cannot serve traffic. {told}"
    assert error["code"] == code
    assert error["message"].startswith(begins)
    assert failed["terminalCondition"]["message"].startswith(begins)


def test_an_injected_failure_leaves_the_service_as_a_real_one_would(
    run: Any, echo: str, expect: Any
) -> None:
    """The operation tells the error, the service is not ready, the next rollout repairs it."""
    match = {"method": "run.projects.locations.services.create"}
    rule = {"match": match, "times": 1, "lro_error": {"preset": "CONTAINER_FAILED"}}
    expect(run.client.put("/_local/faults", json={"rules": [rule]}))
    operation = run.create("worker", run.template(echo))
    assert operation["error"]["code"] == 9
    assert "failed to start and listen on the port" in operation["error"]["message"]
    failed = run.get("worker")
    assert failed["terminalCondition"]["state"] == "CONDITION_FAILED"
    assert failed["terminalCondition"]["revisionReason"] == "HEALTH_CHECK_CONTAINER_ERROR"
    assert run.call(failed["uri"]).status_code == 503
    assert "response" in run.patch("worker", run.template(echo))
    assert run.call(failed["uri"]).status_code == 200
