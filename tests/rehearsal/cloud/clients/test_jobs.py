"""`google-cloud-scheduler`: jobs over HTTP and Pub/Sub."""

from __future__ import annotations

import pytest
from google.cloud.scheduler_v1 import CloudSchedulerClient, HttpMethod, Job
from google_clients import LOCATION, PROJECT, Clients, refused

NAME = f"{LOCATION}/jobs/nightly"
HTTP = {"uri": "http://127.0.0.1:9/", "http_method": "PUT", "headers": {"X-Team": "x"}}
JOB = {"name": NAME, "schedule": "0 3 1 1 *", "time_zone": "Europe/Berlin", "http_target": HTTP}


@pytest.fixture(name="scheduler")
def scheduler_fixture(clients: Clients) -> CloudSchedulerClient:
    """The client."""
    return clients.rest(CloudSchedulerClient, "cloudscheduler")


def test_a_job_lives(scheduler: CloudSchedulerClient) -> None:
    """Created, read, listed, changed by mask, paused, resumed, run and deleted."""
    retries = {"retry_count": 3, "max_retry_duration": {"seconds": 20}}
    job = scheduler.create_job(parent=LOCATION, job=JOB | {"retry_config": retries})
    assert (job.state, job.http_target.http_method) == (Job.State.ENABLED, HttpMethod.PUT)
    assert job.schedule_time.month == 1
    assert job == scheduler.get_job(name=NAME)
    assert list(scheduler.list_jobs(parent=LOCATION)) == [job]
    changed = scheduler.update_job(
        job={"name": NAME, "schedule": "0 4 1 1 *"}, update_mask={"paths": ["schedule"]}
    )
    assert (changed.schedule, changed.time_zone) == ("0 4 1 1 *", "Europe/Berlin")
    assert changed.retry_config.retry_count == 3
    assert scheduler.pause_job(name=NAME).state is Job.State.PAUSED
    assert scheduler.resume_job(name=NAME).state is Job.State.ENABLED
    assert scheduler.run_job(name=NAME).name == NAME
    scheduler.delete_job(name=NAME)
    with refused("NOT_FOUND"):
        scheduler.run_job(name=NAME)
    assert not list(scheduler.list_jobs(parent=LOCATION))


def test_a_job_for_a_topic(scheduler: CloudSchedulerClient) -> None:
    """A job without a name gets one; bytes come back as they were sent."""
    target = {"topic_name": f"{PROJECT}/topics/ticks", "data": b"\x00tick"}
    job = scheduler.create_job(
        parent=LOCATION, job={"schedule": "* * 1 1 *", "pubsub_target": target}
    )
    assert job.name.startswith(f"{LOCATION}/jobs/")
    assert scheduler.get_job(name=job.name).pubsub_target.data == b"\x00tick"
    assert job.time_zone == "Etc/UTC"


@pytest.mark.parametrize(
    "wrong",
    [
        {"schedule": "every day"},
        {"time_zone": "Europe/Atlantis"},
        {"http_target": None},
        {"name": f"{LOCATION}/jobs/no spaces"},
    ],
)
def test_a_wrong_job_is_refused(scheduler: CloudSchedulerClient, wrong: dict[str, object]) -> None:
    """Its schedule, zone, target and name are checked before anything is kept."""
    with refused("INVALID_ARGUMENT"):
        scheduler.create_job(parent=LOCATION, job=JOB | wrong)
    assert not list(scheduler.list_jobs(parent=LOCATION))
