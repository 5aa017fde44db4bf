"""Schedules as components."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from components.scheduler_job import SchedulerJob, ServiceCall, Timetable

if TYPE_CHECKING:
    from tests.components.conftest import Program

TYPE = "gcp:cloudscheduler/job:Job"


def target_of(program: Program, body: str) -> dict[str, Any]:
    """Declare a job with a body and return what it calls."""
    call = ServiceCall("https://report.test", "job-sa@p.iam.gserviceaccount.com", body)

    def declare() -> None:
        timetable = Timetable("0 2 * * *", "Europe/Berlin")
        SchedulerJob("nightly", project="p", region="r", timetable=timetable, call=call)

    recording = program.run(declare)
    job = recording.one(TYPE)
    assert job.parent == recording.one("conductor:service:SchedulerJob").urn
    assert job.inputs["schedule"] == "0 2 * * *"
    assert job.inputs["timeZone"] == "Europe/Berlin"
    target: dict[str, Any] = job.inputs["httpTarget"]
    return target


def test_a_job_calls_its_service_with_a_token_for_it(program: Program) -> None:
    """Cloud Run takes identity tokens that are made for the service's own address."""
    target = target_of(program, "")
    assert target == {
        "uri": "https://report.test",
        "httpMethod": "POST",
        "oidcToken": {
            "serviceAccountEmail": "job-sa@p.iam.gserviceaccount.com",
            "audience": "https://report.test",
        },
    }


@pytest.mark.parametrize(
    ("body", "kind"),
    [('{"a": 1}', "application/json"), ("run, please", "text/plain; charset=utf-8")],
)
def test_a_body_is_sent_as_what_it_is(program: Program, body: str, kind: str) -> None:
    """Encoded as the API wants it, with the type that the service can read."""
    target = target_of(program, body)
    assert base64.b64decode(target["body"]).decode() == body
    assert target["headers"] == {"Content-Type": kind}
