"""Passing failures are ridden out, lasting ones reported, concurrent writers lose nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from aiohttp import web

from rehearsal.engine.provider import Properties, ProviderError
from rehearsal.providers.gcp.provider import GcpProvider
from rehearsal.providers.rest import (
    ApiCallError,
    Call,
    OperationFailedError,
    Patience,
    RestClient,
)

TOPIC_MEMBER = "gcp:pubsub/topicIAMMember:TopicIAMMember"
QUICK = Patience(
    transient_s=2, settling_s=2, operation_s=0.3, first_delay_s=0.002, last_delay_s=0.01
)
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def refusal(code: int, message: str, status: str = "") -> Answer:
    """Return an answer that refuses the way Google does."""

    async def answer(_request: web.Request) -> web.Response:
        error = {"code": code, "message": message, "status": status, "errors": [{"reason": "why"}]}
        return web.json_response({"error": error}, status=code)

    return answer


def success(body: dict[str, Any]) -> Answer:
    """Return an answer with a body."""

    async def answer(_request: web.Request) -> web.Response:
        return web.json_response(body)

    return answer


async def broken(request: web.Request) -> web.Response:
    """Break the connection after the request was taken."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


def with_answers(
    answers: Sequence[Answer], scenario: Callable[[str, list[str]], Awaitable[None]]
) -> None:
    """Run a scenario against a server that gives these answers in turn, then the last for ever."""
    seen: list[str] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        seen.append(f"{request.method} {request.path}")
        return await answers[min(len(seen), len(answers)) - 1](request)

    async def serve() -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handle)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            await scenario(f"http://127.0.0.1:{runner.addresses[0][1]}/v1/", seen)
        finally:
            await runner.cleanup()

    asyncio.run(serve())


async def topic_created(url: str) -> Properties:
    """Create a topic through the provider."""
    provider = GcpProvider(QUICK)
    config: Properties = {"project": "p", "pubsubCustomEndpoint": url}
    await provider.configure(config, {"GOOGLE_OAUTH_ACCESS_TOKEN": "t"})
    try:
        result = await provider.create(
            urn="",
            type_="gcp:pubsub/topic:Topic",
            inputs={"name": "orders"},
            timeout=0,
            preview=False,
        )
    finally:
        await provider.close()
    return result.outputs


@pytest.mark.parametrize(
    "failure",
    [
        refusal(429, "Quota exceeded", "RESOURCE_EXHAUSTED"),
        refusal(503, "The service is currently unavailable.", "UNAVAILABLE"),
        refusal(403, "Cloud Pub/Sub API has not been used in project 1 before or it is disabled."),
        broken,
    ],
    ids=["quota", "unavailable", "just enabled", "connection lost"],
)
def test_passing_failures_are_ridden_out(failure: Answer) -> None:
    """Quota, outages, an API just enabled and lost connections are tried again."""

    async def scenario(url: str, seen: list[str]) -> None:
        outputs = await topic_created(url)
        assert outputs["id"] == "projects/p/topics/orders"
        assert [call.split()[0] for call in seen] == ["PUT", "PUT", "PUT", "GET"]

    with_answers([failure, failure, success({"name": "projects/p/topics/orders"})], scenario)


@pytest.mark.parametrize("code", [400, 403, 409, 501])
def test_lasting_failures_are_reported_at_once(code: int) -> None:
    """What trying again cannot change is an error in one line with Google's own words."""

    async def scenario(url: str, seen: list[str]) -> None:
        with pytest.raises(ProviderError) as caught:
            await topic_created(url)
        assert str(caught.value) == f"Error creating Topic: googleapi: Error {code}: No., why"
        assert len(seen) == 1

    with_answers([refusal(code, "No.")], scenario)


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(code: int) -> None:
    """It could lead away from this machine, and the token with it."""

    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=code, headers={"Location": "/elsewhere"})

    async def scenario(url: str, seen: list[str]) -> None:
        with pytest.raises(ProviderError, match=f"Error {code}"):
            await topic_created(url)
        assert seen == ["PUT /v1/projects/p/topics/orders"]

    with_answers([answer], scenario)


def test_creation_whose_reply_was_lost_is_found_again() -> None:
    """When only the reply got lost, the conflict on the second try is our own resource."""

    async def scenario(url: str, _seen: list[str]) -> None:
        outputs = await topic_created(url)
        assert outputs["labels"] is None

    exists = refusal(409, "Resource already exists", "ALREADY_EXISTS")
    with_answers([broken, exists, success({"name": "projects/p/topics/orders"})], scenario)


def test_endless_outage_ends_with_the_budget() -> None:
    """A service that stays away is an error once the time is used up."""

    async def scenario(url: str, _seen: list[str]) -> None:
        rest = RestClient("t", Patience(transient_s=0.05, first_delay_s=0.002, last_delay_s=0.01))
        with pytest.raises(ApiCallError, match="Error 503"):
            await rest.send(Call("GET", f"{url}x"))
        await rest.close()

    with_answers([refusal(503, "Away.")], scenario)


def test_missing_token_is_said_before_any_call() -> None:
    """Without an access token nothing is sent, and the error names the variable."""

    async def scenario(url: str, seen: list[str]) -> None:
        rest = RestClient("", QUICK)
        with pytest.raises(ProviderError, match="GOOGLE_OAUTH_ACCESS_TOKEN"):
            await rest.send(Call("GET", f"{url}x"))
        assert seen == []

    with_answers([success({})], scenario)


def test_operation_is_polled_until_it_is_done() -> None:
    """Polling goes on while the operation runs, and over its not being visible yet."""

    async def scenario(url: str, seen: list[str]) -> None:
        rest = RestClient("t", QUICK)
        found = await rest.wait({"name": "operations/1"}, url)
        assert found == {"a": 1}
        assert len(seen) == 3
        await rest.close()

    done = success({"name": "operations/1", "done": True, "response": {"a": 1}})
    with_answers([refusal(404, "x"), success({"name": "operations/1"}), done], scenario)


def test_operation_fails_or_runs_out_of_time() -> None:
    """An operation's error is reported with its code; one that never ends too."""

    async def failing(url: str, _seen: list[str]) -> None:
        rest = RestClient("t", QUICK)
        with pytest.raises(OperationFailedError, match="Error code 9, message: broken"):
            await rest.wait({"name": "operations/1"}, url)
        await rest.close()

    error = {"name": "operations/1", "done": True, "error": {"code": 9, "message": "broken"}}
    with_answers([success(error)], failing)

    async def endless(url: str, _seen: list[str]) -> None:
        rest = RestClient("t", QUICK)
        with pytest.raises(ProviderError, match=r"was not done after 0\.1 s"):
            await rest.wait({"name": "operations/1"}, url, 0.1)
        await rest.close()

    with_answers([success({"name": "operations/1"})], endless)


def test_many_members_of_one_topic_take_few_writes(on_cloud: Callable[..., None]) -> None:
    """Grants that arrive together are written together, and none is lost."""

    async def scenario(rehearsal: Any) -> None:
        await rehearsal.resource("gcp:pubsub/topic:Topic").create({"name": "events"})
        before = len(calls(rehearsal, "pubsub.projects.topics.setIamPolicy"))
        members = [rehearsal.resource(TOPIC_MEMBER) for _ in range(30)]
        await asyncio.gather(
            *(
                member.create(
                    {
                        "topic": "events",
                        "role": "roles/pubsub.publisher",
                        "member": f"user:user-{i}@local.test",
                    }
                )
                for i, member in enumerate(members)
            )
        )
        assert len(calls(rehearsal, "pubsub.projects.topics.setIamPolicy")) - before <= 3
        assert all([await member.read() is not None for member in members])
        await asyncio.gather(*(member.delete() for member in members[:29]))
        assert [await m.read() is not None for m in members] == [False] * 29 + [True]

    on_cloud(scenario)


def test_two_engines_granting_at_once_lose_nothing(on_cloud: Callable[..., None]) -> None:
    """Two providers that know nothing of each other are kept apart by the policy's etag."""

    async def scenario(rehearsal: Any) -> None:
        topic = rehearsal.resource("gcp:pubsub/topic:Topic")
        await topic.create({"name": "events"})
        other = await rehearsal.another_gcp()
        members = []
        for i in range(10):
            member = rehearsal.resource(TOPIC_MEMBER)
            member.provider = other if i % 2 else rehearsal.gcp
            members.append(member)
        await asyncio.gather(
            *(
                member.create(
                    {
                        "topic": "events",
                        "role": "roles/pubsub.publisher",
                        "member": f"user:user-{i}@local.test",
                    }
                )
                for i, member in enumerate(members)
            )
        )
        assert all([await member.read() is not None for member in members])
        await other.close()

    on_cloud(scenario)


def test_one_bad_member_does_not_spoil_the_others(on_cloud: Callable[..., None]) -> None:
    """When a batch is refused, only the member to blame fails."""

    async def scenario(rehearsal: Any) -> None:
        await rehearsal.resource("gcp:pubsub/topic:Topic").create({"name": "events"})
        rehearsal.gcp._ready.rest.patience = Patience(
            settling_s=0.05, first_delay_s=0.002, last_delay_s=0.01
        )
        inputs = [
            {"topic": "events", "role": "roles/pubsub.publisher", "member": member}
            for member in (
                "user:first@local.test",
                "user:second@local.test",
                "serviceAccount:nobody@local-proj.iam.gserviceaccount.com",
                "user:third@local.test",
            )
        ]
        members = [rehearsal.resource(TOPIC_MEMBER) for _ in inputs]
        results = await asyncio.gather(
            *(m.create(i) for m, i in zip(members, inputs, strict=True)), return_exceptions=True
        )
        failures = [result for result in results if isinstance(result, BaseException)]
        assert len(failures) == 1
        assert "nobody@local-proj" in str(failures[0])
        assert isinstance(results[2], ProviderError)

    on_cloud(scenario)


def test_grant_waits_for_an_account_that_is_just_being_made(on_cloud: Callable[..., None]) -> None:
    """The refusal of an account that is unknown right after its creation is ridden out."""

    async def scenario(rehearsal: Any) -> None:
        await rehearsal.resource("gcp:pubsub/topic:Topic").create({"name": "events"})
        member = rehearsal.resource(TOPIC_MEMBER)
        email = "worker-sa@local-proj.iam.gserviceaccount.com"
        granting = asyncio.create_task(
            member.create(
                {
                    "topic": "events",
                    "role": "roles/pubsub.publisher",
                    "member": f"serviceAccount:{email}",
                }
            )
        )
        await refused(rehearsal, "pubsub.projects.topics.setIamPolicy")
        account = rehearsal.resource("gcp:serviceaccount/account:Account")
        await account.create({"accountId": "worker-sa"})
        await granting
        assert await member.read() is not None

    on_cloud(scenario)


def test_drift_of_grants_labels_and_disappearance_shows(on_cloud: Callable[..., None]) -> None:
    """A refresh sees a removed grant, a changed label in inputs and outputs, and a deletion."""

    async def scenario(rehearsal: Any) -> None:
        topic = rehearsal.resource("gcp:pubsub/topic:Topic")
        await topic.create({"name": "events", "labels": {"v": "1"}})
        url = rehearsal.gcp._settings.endpoints["pubsubCustomEndpoint"] + topic.id
        rest = rehearsal.gcp._ready.rest
        member = rehearsal.resource(TOPIC_MEMBER)
        await member.create(
            {"topic": "events", "role": "roles/pubsub.publisher", "member": "user:a@local.test"}
        )
        await rest.send(Call("POST", f"{url}:setIamPolicy", body={"policy": {"bindings": []}}))
        assert await member.read() is None
        drifted: dict[str, Any] = {"topic": {"labels": {"v": "drifted", "other": "x"}}}
        await rest.send(Call("PATCH", url, {"updateMask": "labels"}, drifted))
        drift = await topic.refresh()
        assert drift is not None
        assert "labels.v" in drift.detailed
        assert topic.inputs["labels"] == {"v": "drifted"}
        assert topic.outputs["effectiveLabels"] == {"v": "drifted", "other": "x"}
        await topic.update({"name": "events", "labels": {"v": "2"}})
        assert topic.outputs["effectiveLabels"] == {"v": "2", "other": "x"}
        await rest.send(Call("DELETE", url))
        assert await topic.read() is None

    on_cloud(scenario)


def test_import_needs_the_id_only(on_cloud: Callable[..., None]) -> None:
    """Read with an id and nothing else gives inputs that would make the resource."""

    async def scenario(rehearsal: Any) -> None:
        topic = rehearsal.resource("gcp:pubsub/topic:Topic")
        await topic.create({"name": "events", "labels": {"v": "1"}})
        topic.inputs, topic.outputs = {}, {}
        found = await topic.read()
        assert found is not None
        assert found.inputs == {"name": "events", "project": "local-proj", "labels": {"v": "1"}}
        member = rehearsal.resource(TOPIC_MEMBER)
        news = {
            "topic": "events",
            "role": "roles/pubsub.publisher",
            "member": "user:a@local.test",
        }
        await member.create(news)
        member.inputs, member.outputs = {}, {}
        imported = await member.read()
        assert imported is not None
        member.outputs = imported.outputs
        assert not (await member.diff(news)).changes
        topic.id = "of/no/form"
        with pytest.raises(ProviderError, match="must look like projects"):
            await topic.read()

    on_cloud(scenario)


def test_functions_describe_project_and_client(on_cloud: Callable[..., None]) -> None:
    """`getProject` and `getClientConfig` answer from the local cloud and the configuration."""

    async def scenario(rehearsal: Any) -> None:
        project = await rehearsal.gcp.invoke("gcp:organizations/getProject:getProject", {})
        assert project["projectId"] == "local-proj"
        assert project["number"] == rehearsal.cloud.project_number
        client = await rehearsal.gcp.invoke("gcp:organizations/getClientConfig:getClientConfig", {})
        assert (client["project"], client["region"]) == ("local-proj", "europe-west1")

    on_cloud(scenario)


async def refused(rehearsal: Any, method_id: str) -> None:
    """Wait until a method was called."""
    for _ in range(1000):
        if calls(rehearsal, method_id):
            return
        await asyncio.sleep(0.005)
    pytest.fail(f"{method_id} was never called")


def calls(rehearsal: Any, method_id: str) -> list[str]:
    """Return the logged calls of one method."""
    log = (rehearsal.cloud.data_dir / "calls.jsonl").read_text()
    return [line for line in log.splitlines() if method_id in line]
