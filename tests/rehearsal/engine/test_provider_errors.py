"""What becomes of an operation whose provider refuses, fails, breaks, or never answers."""

from __future__ import annotations

from typing import Any

import pytest
from engine_bench import Bench
from fake_provider import World
from pulumi import automation as auto

URN = "urn:pulumi:dev::demo::fake:index:Thing::thing"


def outcome(
    stack: auto.Stack, operation: str = "up"
) -> tuple[auto.CommandError, list[auto.EngineEvent]]:
    """Run an operation that fails."""
    events: list[auto.EngineEvent] = []
    with pytest.raises(auto.CommandError) as caught:
        getattr(stack, operation)(on_event=events.append)
    return caught.value, events


def errors(events: list[auto.EngineEvent]) -> list[tuple[str | None, str]]:
    """List the errors that were reported, with the resource they are about."""
    return [
        (event.diagnostic_event.urn, event.diagnostic_event.message)
        for event in events
        if event.diagnostic_event and event.diagnostic_event.severity == "error"
    ]


def recorded(bench: Bench) -> dict[str, Any]:
    """Return what the state has of the thing; a refresh drops empty property dependencies."""
    resource = bench.resources().get("thing", {})
    return {key: value for key, value in resource.items() if key != "propertyDependencies"}


def is_maybe_corrupt(events: list[auto.EngineEvent]) -> bool:
    """Tell what the summary says of the state."""
    return next(event.summary_event.maybe_corrupt for event in events if event.summary_event)


@pytest.mark.parametrize("call", ["check", "diff", "create", "update", "delete", "read"])
@pytest.mark.parametrize("how", ["fail", "panic"])
def test_failure_is_reported_about_its_resource_and_nothing_is_lost(
    bench: Bench, call: str, how: str
) -> None:
    """Whatever a provider call raises: the resource is named, and its record stays."""
    bench.program('Thing("thing", name="thing", size=1)')
    stack = bench.stack()
    if call in {"delete", "read"}:
        # These go by what is recorded.
        bench.program(f'Thing("thing", name="thing", size=1, {how}="{call}")')
    if call != "create":
        stack.up()
    before = recorded(bench)
    bench.program(f'Thing("thing", name="thing", size=2, {how}="{call}")')
    operation = {"read": "refresh", "delete": "destroy"}.get(call, "up")
    error, events = outcome(stack, operation)
    said = f"cannot {call} thing" if how == "fail" else f"LookupError: lost in {call}"
    assert (URN, f"{said}\n") in errors(events)
    assert said in str(error)
    assert "Traceback" not in str(error)
    assert recorded(bench) == before
    assert "pending_operations" not in bench.latest()
    planned = call in {"check", "diff", "read"}
    assert is_maybe_corrupt(events) == (how == "panic" and not planned)


@pytest.mark.parametrize("call", ["create", "update", "delete"])
def test_provider_that_never_answers_is_given_up_after_its_timeout(
    bench: Bench, world: World, call: str
) -> None:
    """Custom timeouts reach the provider, are recorded, and end a call that does not end."""
    gate = bench.root / "never"
    wait = "wait" if call == "create" else f"wait_{call}"
    program = f"""
        times = pulumi.CustomTimeouts(create="100ms", update="0.1s", delete="0m0.1s")
        Thing("thing", name="thing", size=SIZE, {wait}="{gate}",
              opts=Options(custom_timeouts=times))
    """
    bench.program(program.replace("SIZE", "1"))
    stack = bench.stack()
    if call != "create":
        stack.up()
        bench.program(program.replace("SIZE", "2"))
    try:
        error, _ = outcome(stack, "destroy" if call == "delete" else "up")
    finally:
        gate.touch()
    assert "has not answered within the custom timeout of 0.1s" in str(error)
    assert (call, 0.1) in world.timeouts
    pending = bench.latest().get("pending_operations", [])
    assert [item["type"] for item in pending] == (["creating"] if call == "create" else [])
    resource = pending[0]["resource"] if pending else recorded(bench)
    assert resource["customTimeouts"] == {"create": 0.1, "update": 0.1, "delete": 0.1}


def test_unconfigurable_provider_fails_what_needs_it(bench: Bench) -> None:
    """A provider that breaks when it is configured is a failure of its first resource."""
    bench.program(
        """
        broken = pulumi.ProviderResource("fake", "broken", {"panic": True})
        Thing("thing", name="thing", opts=Options(provider=broken))
        """
    )
    _, events = outcome(bench.stack())
    assert (URN, "LookupError: lost in configure\n") in errors(events)


def test_failed_invoke_is_an_exception_in_the_program(bench: Bench) -> None:
    """A data function's failure can be caught, and otherwise names its token."""
    bench.program(
        """
        try:
            pulumi.runtime.invoke("fake:index:broken", {})
        except Exception as error:
            pulumi.export("caught", str(error))
        """
    )
    stack = bench.stack()
    said = "invocation of fake:index:broken returned an error: no such luck"
    assert said in stack.up().outputs["caught"].value
    bench.program('pulumi.runtime.invoke("fake:index:panic", {})')
    error, _ = outcome(stack)
    assert "fake:index:panic returned an error: LookupError: lost in invoke" in str(error)


def test_failed_preview_says_so_without_an_operation_that_failed(bench: Bench) -> None:
    """A preview has not failed to change anything: no `resOpFailedEvent`, but words."""
    bench.program('Thing("thing", name="thing", opts=Options(protect=True))')
    stack = bench.stack()
    stack.up()
    lines: list[str] = []
    events: list[auto.EngineEvent] = []
    with pytest.raises(auto.CommandError):
        stack.preview_destroy(on_event=events.append, on_output=lines.append)
    assert not any(event.res_op_failed_event for event in events)
    assert any("Preview failed: resource" in text for _, text in errors(events))
    assert "error: preview failed" in "\n".join(lines)
