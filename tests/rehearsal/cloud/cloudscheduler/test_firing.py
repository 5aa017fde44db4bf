"""Jobs fire: on schedule, by hand, again after a failure, as their account."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

PARENT = "projects/local-proj/locations/europe-west1"
JOBS = f"/cloudscheduler/v1/{PARENT}/jobs"


class Target:
    """An HTTP server that remembers requests and answers as it is told."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.answers: list[int] = []
        target = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                target.requests.append((self.path, dict(self.headers), body))
                self.send_response(target.answers.pop(0) if target.answers else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.uri = f"http://127.0.0.1:{self.server.server_port}/work"


@pytest.fixture
def target() -> Iterator[Target]:
    """A target that listens."""
    made = Target()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def make(local_cloud: Any, expect: Any, uri: str, **settings: Any) -> str:
    """Create a job that posts to a target at the top of every hour; return its URL."""
    http = {"uri": uri, **settings.pop("http", {})}
    job = {"name": f"{PARENT}/jobs/tick", "schedule": "0 * * * *", "httpTarget": http}
    expect(local_cloud.deployer.post(JOBS, json={**job, **settings}))
    return f"{JOBS}/tick"


def attempts_of(local_cloud: Any) -> list[str]:
    """Lines of the call log about attempts."""
    lines = local_cloud.deployer.get("/_local/log").text.splitlines()
    return [line for line in lines if "cloudscheduler attempt" in line]


def test_a_job_fires_when_its_time_comes(
    local_cloud: Any, expect: Any, target: Target, wait_until: Any
) -> None:
    """The request carries the body and Google's headers, the job tells the next time."""
    body = base64.b64encode(b'{"a": 1}').decode()
    headers = {
        "Content-Type": "application/json",
        "X-CloudScheduler": "forged",
        "user-agent": "forged",
    }
    url = make(local_cloud, expect, target.uri, http={"body": body, "headers": headers})
    planned = expect(local_cloud.deployer.get(url))
    assert planned["scheduleTime"].endswith(":00:00Z")
    assert not target.requests
    local_cloud.clock.ahead_s += 3600
    wait_until(lambda: "status" in expect(local_cloud.deployer.get(url)))
    ((path, sent, content),) = target.requests
    assert (path, content) == ("/work", b'{"a": 1}')
    assert sent["Content-Type"] == "application/json"
    assert sent["User-Agent"] == "Google-Cloud-Scheduler"
    assert sent["X-CloudScheduler"] == "true"
    assert sent["X-CloudScheduler-JobName"] == "tick"
    assert sent["X-CloudScheduler-ScheduleTime"] == planned["scheduleTime"]
    fired = expect(local_cloud.deployer.get(url))
    assert fired["status"] == {}
    assert fired["lastAttemptTime"] >= planned["scheduleTime"]
    assert fired["scheduleTime"] > planned["scheduleTime"]


def test_a_paused_job_waits_and_a_deleted_one_is_gone(
    local_cloud: Any, expect: Any, target: Target, wait_until: Any
) -> None:
    """Only what is enabled has a next time; another job fires to show that time has passed."""
    url = make(local_cloud, expect, target.uri)
    assert "scheduleTime" not in expect(local_cloud.deployer.post(f"{url}:pause"))
    make(local_cloud, expect, target.uri, name=f"{PARENT}/jobs/gone")
    expect(local_cloud.deployer.delete(f"{JOBS}/gone"))
    make(local_cloud, expect, target.uri, name=f"{PARENT}/jobs/other")
    local_cloud.clock.ahead_s += 3600
    wait_until(lambda: "status" in expect(local_cloud.deployer.get(f"{JOBS}/other")))
    names = [headers["X-CloudScheduler-JobName"] for _, headers, _ in target.requests]
    assert names == ["other"]


def test_a_job_runs_by_hand_as_its_account(
    local_cloud: Any, expect: Any, target: Target, wait_until: Any
) -> None:
    """The identity token names the account and is for the audience; running takes a permission."""
    email = local_cloud.account("worker")
    token = {"serviceAccountEmail": email, "audience": "https://audience.test"}
    url = make(local_cloud, expect, target.uri, http={"oidcToken": token})
    stranger = local_cloud.client("user:stranger@local.test")
    assert "cloudscheduler.jobs.run" in expect(stranger.post(f"{url}:run"), 403)["error"]["message"]
    expect(local_cloud.deployer.post(f"{url}:run"))
    wait_until(lambda: target.requests)
    headers = target.requests[0][1]
    assert "X-CloudScheduler-ScheduleTime" not in headers
    jwt = headers["Authorization"].removeprefix("Bearer ")
    verified = local_cloud.cloud.tokens.verify_identity_token(jwt, audience=token["audience"])
    assert verified["email"] == email
    wait_until(lambda: attempts_of(local_cloud))
    assert f"serviceAccount:{email}" in attempts_of(local_cloud)[0]


def test_a_failed_attempt_is_repeated_as_the_job_says(
    local_cloud: Any, expect: Any, target: Target, wait_until: Any
) -> None:
    """Errors of the target are told by Google's codes, and retried with backoff."""
    target.answers = [503, 429, 200]
    retry = {"retryCount": 2, "minBackoffDuration": "0.010s"}
    url = make(local_cloud, expect, target.uri, retryConfig=retry)
    expect(local_cloud.deployer.post(f"{url}:run"))
    wait_until(lambda: expect(local_cloud.deployer.get(url)).get("status") == {})
    assert len(target.requests) == 3
    target.answers = [404]
    plain = expect(local_cloud.deployer.get(url)) | {"retryConfig": None}
    expect(local_cloud.deployer.patch(url, json=plain))
    expect(local_cloud.deployer.post(f"{url}:run"))
    wait_until(lambda: expect(local_cloud.deployer.get(url))["status"].get("code") == 5)
    assert len(target.requests) == 4


def test_nothing_is_sent_beyond_this_machine(
    local_cloud: Any, expect: Any, wait_until: Any
) -> None:
    """A rehearsal's job never reaches the internet: its attempt fails instead."""
    url = make(local_cloud, expect, "https://example.com/work")
    expect(local_cloud.deployer.post(f"{url}:run"))
    wait_until(lambda: "status" in expect(local_cloud.deployer.get(url)))
    status = expect(local_cloud.deployer.get(url))["status"]
    assert (status["code"], status["message"]) == (14, "The local cloud lets nothing out.")


def test_a_deleted_account_gets_no_token(
    local_cloud: Any, expect: Any, target: Target, wait_until: Any
) -> None:
    """An attempt as an account that is gone fails before it is sent."""
    email = local_cloud.account("worker")
    url = make(local_cloud, expect, target.uri, http={"oidcToken": {"serviceAccountEmail": email}})
    expect(local_cloud.deployer.delete(f"/iam/v1/projects/local-proj/serviceAccounts/{email}"))
    expect(local_cloud.deployer.post(f"{url}:run"))
    wait_until(lambda: "status" in expect(local_cloud.deployer.get(url)))
    assert expect(local_cloud.deployer.get(url))["status"]["code"] == 16
    assert not target.requests


def test_a_job_publishes_to_its_topic(local_cloud: Any, expect: Any, wait_until: Any) -> None:
    """A Pub/Sub target's data and attributes arrive as a message."""
    pubsub, client = "/pubsub/v1/projects/local-proj", local_cloud.deployer
    topic = "projects/local-proj/topics/ticks"
    expect(client.put(f"/pubsub/v1/{topic}", json={}))
    expect(client.put(f"{pubsub}/subscriptions/ticks", json={"topic": topic}))
    target = {"topicName": topic, "data": "eA==", "attributes": {"k": "v"}}
    url = make(local_cloud, expect, "", httpTarget=None, pubsubTarget=target)
    expect(client.post(f"{url}:run"))
    answer = expect(client.post(f"{pubsub}/subscriptions/ticks:pull", json={"maxMessages": 1}))
    message = answer["receivedMessages"][0]["message"]
    assert (message["data"], message["attributes"]) == ("eA==", {"k": "v"})


def test_jobs_fire_after_a_restart(
    start_cloud: Any, expect: Any, target: Target, wait_until: Any
) -> None:
    """What is due is planned anew: the times in between are not made up for."""
    with start_cloud() as cloud:
        cloud.enable("cloudscheduler")
        url = make(cloud, expect, target.uri)
        before = expect(cloud.deployer.get(url))["scheduleTime"]
    with start_cloud() as cloud:
        assert expect(cloud.deployer.get(url))["scheduleTime"] == before
        cloud.clock.ahead_s += 3600
        wait_until(lambda: "status" in expect(cloud.deployer.get(url)))
    assert len(target.requests) == 1


def test_a_time_that_passed_in_between_is_not_made_up_for(
    start_cloud: Any, expect: Any, target: Target
) -> None:
    """A cloud that was down fires at the next time, and the job tells it; a paused one stays so."""
    with start_cloud() as cloud:
        cloud.enable("cloudscheduler")
        url = make(cloud, expect, target.uri)
        missed = expect(cloud.deployer.get(url))["scheduleTime"]
    clock = cloud.clock
    clock.ahead_s = 3700.0
    with start_cloud(clock=clock) as cloud:
        job = expect(cloud.deployer.get(url))
        assert (job["scheduleTime"] > missed, "lastAttemptTime" in job) == (True, False)
        expect(cloud.deployer.post(f"{url}:pause"))
    with start_cloud(clock=clock) as cloud:
        paused = expect(cloud.deployer.get(url))
        assert (paused["state"], "scheduleTime" in paused) == ("PAUSED", False)
    assert not target.requests


def test_a_job_with_an_oauth_token_calls_as_its_account(
    local_cloud: Any, expect: Any, target: Target, wait_until: Any
) -> None:
    """The access token names the account to every API."""
    email = local_cloud.account("worker")
    http = {"oauthToken": {"serviceAccountEmail": email}}
    url = make(local_cloud, expect, target.uri, http=http)
    expect(local_cloud.deployer.post(f"{url}:run"))
    wait_until(lambda: target.requests)
    token = target.requests[0][1]["Authorization"].removeprefix("Bearer ")
    assert local_cloud.cloud.tokens.principal_of(token) == f"serviceAccount:{email}"
