"""The recorded overrides of an environment, on disk and at the command line."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from architecture.recorded import RecordedOverride
from orchestration.cli.main import app
from orchestration.environments import Environment, TargetName
from orchestration.errors import UsageError
from orchestration.overriding import OverrideStore
from orchestration.settings import Settings

SAMPLE = Path(__file__).parents[2] / "testdata" / "architectures" / "tracer.yaml"


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """An environment that was made, in a project folder of this test's."""
    (tmp_path / "Pulumi.yaml").write_text("name: conductor\nruntime: python\n")
    monkeypatch.setenv("CONDUCTOR_PROJECT_DIR", str(tmp_path))
    made = Environment("dev", Settings.from_environment())
    made.make(target=TargetName.LOCAL, architecture_name="tracer", project_id="local-proj")
    return made


def recorded(key: str, value: bool | int | str, step: str = "s1") -> RecordedOverride:
    """Make a recorded value of the sample's publisher."""
    return RecordedOverride(
        service="tracer-publisher",
        key=key,
        value=value,
        plan_id="p1",
        step_id=step,
        action="scale_up",
        recorded_at=datetime(2026, 11, 21, 12, tzinfo=UTC),
    )


def test_what_is_recorded_is_there_for_others_until_it_is_taken_away(
    environment: Environment,
) -> None:
    """Both recording and taking away may be done again, and count once."""
    store = OverrideStore(environment)
    for _ in range(2):
        store.record([recorded("max_instances", 8)])
    held = OverrideStore(environment).read()
    for _ in range(2):
        store.take_away("s1")

    assert (held.version, [entry.value for entry in held.entries]) == (1, [8])
    assert OverrideStore(environment).read().entries == ()


def test_steps_side_by_side_lose_nothing(environment: Environment) -> None:
    """Values that several threads record at once are all there afterwards."""
    store = OverrideStore(environment)
    threads = [
        threading.Thread(target=store.record, args=([recorded("max_instances", n, f"s{n}")],))
        for n in range(1, 9)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {entry.step_id for entry in store.read().entries} == {f"s{n}" for n in range(1, 9)}
    assert store.read().version == len(threads)


def test_a_damaged_file_is_named_with_a_way_on(environment: Environment) -> None:
    """Half a file is an error of one line, not services without their overrides."""
    environment.overrides_file.write_text('{"version": 1, "entr')

    with pytest.raises(UsageError, match="cannot be read") as refused:
        OverrideStore(environment).read()
    assert "\n" not in refused.value.message
    assert "restore it" in refused.value.hint


def test_the_command_line_lists_and_removes_what_is_recorded(environment: Environment) -> None:
    """`list` names plan and step, `remove` takes a key away, and refuses what is not there."""
    OverrideStore(environment).record([recorded("max_instances", 8), recorded("region", "x-y1")])
    run = CliRunner()

    listed = run.invoke(app, ["overrides", "list", "--env", "dev", "--json"])
    removed = run.invoke(
        app, ["overrides", "remove", "tracer-publisher", "region", "--env", "dev", "--json"]
    )
    again = run.invoke(app, ["overrides", "remove", "tracer-publisher", "region", "--env", "dev"])

    lines = [json.loads(line) for line in listed.stdout.splitlines()]
    assert [(line["key"], line["value"], line["plan_id"]) for line in lines] == [
        ("max_instances", 8, "p1"),
        ("region", "x-y1", "p1"),
    ]
    assert json.loads(removed.stdout)["keys"] == ["region"]
    assert again.exit_code == UsageError.exit_code
    assert "recorded: tracer-publisher max_instances" in again.output
    assert [e.key for e in OverrideStore(environment).read().entries] == ["max_instances"]


def test_explain_shows_what_is_recorded(environment: Environment) -> None:
    """`check --explain` names the plan behind a value of the environment."""
    OverrideStore(environment).record([recorded("max_instances", 8)])

    shown = CliRunner().invoke(app, ["check", str(SAMPLE), "--env", "dev", "--explain", "--json"])

    values = {v["key"]: v for v in map(json.loads, shown.stdout.splitlines())}
    found = values["dataflows.tracer-flow.services.tracer-publisher.deployment.max_instances"]
    assert (found["value"], found["source"]) == (8, "recorded")
    assert found["reason"].startswith("plan p1, step s1 (scale_up)")
