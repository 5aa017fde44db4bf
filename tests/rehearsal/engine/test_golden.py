"""What a real engine recorded, compared with ours. Set CONDUCTOR_SHARED_TESTDATA to run it."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from engine_bench import Bench
from fake_provider import FakeProvider, World
from pulumi import automation as auto
from pulumi.automation import CommandResult

from rehearsal.engine.command import EmbeddedPulumi
from rehearsal.engine.programs.processes import ZygoteLauncher
from rehearsal.engine.provider import (
    UNKNOWN,
    CheckResult,
    CreateResult,
    DiffKind,
    DiffResult,
    Properties,
    ProviderError,
    ReadResult,
    Value,
)
from rehearsal.engine.secrets import passphrase
from rehearsal.engine.secrets.codec import StateCodec
from rehearsal.engine.state import checkpoint, integrity
from rehearsal.engine.values import gojson
from rehearsal.engine.values.property_values import Secret, plain_properties

TESTDATA = os.environ.get("CONDUCTOR_SHARED_TESTDATA", "")
pytestmark = pytest.mark.skipif(
    not TESTDATA, reason="CONDUCTOR_SHARED_TESTDATA does not name the recordings"
)
RECORDED = Path(TESTDATA or ".") / "real-engine"
PASSPHRASE = "rehearsal"
REPLACING = {
    "Topic": {"name", "project"},
    "Subscription": {"name", "project", "topic"},
    "Account": {"accountId", "project"},
    "TopicIAMMember": {"topic", "role", "member", "project"},
    "Service": {"name", "location", "project"},
}


def recordings() -> Iterator[Any]:
    """Yield every recording that has a checkpoint."""
    for file in sorted(RECORDED.glob("*/*.json")):
        document = json.loads(file.read_text())
        if document["checkpoint_after"]:
            yield pytest.param(document["checkpoint_after"], id=f"{file.parent.name}-{file.stem}")


@pytest.mark.parametrize("recorded", list(recordings()))
def test_recorded_state_survives_reading_and_writing(recorded: dict[str, Any]) -> None:
    """A real engine's state comes back byte for byte, its secrets opened in between."""
    deployment = checkpoint.deployment_of(recorded)
    crypter = passphrase.unlock(checkpoint.salt_of(deployment), PASSPHRASE)
    codec = StateCodec(lambda: crypter)
    snapshot = checkpoint.read(deployment, codec)
    assert integrity.violation(snapshot.resources) == ""
    written = checkpoint.write(snapshot, codec, written_by=deployment["manifest"])  # type: ignore[arg-type]
    expected = json.dumps(deployment, ensure_ascii=False, separators=(",", ":"))
    assert gojson.dumps(written) == expected


def test_recorded_secrets_open() -> None:
    """The passphrase of the recordings opens their secrets."""
    recorded = json.loads((RECORDED / "lifecycle" / "02-up.json").read_text())
    deployment = checkpoint.deployment_of(recorded["checkpoint_after"])
    crypter = passphrase.unlock(checkpoint.salt_of(deployment), PASSPHRASE)
    root = checkpoint.read(deployment, StateCodec(lambda: crypter)).root()
    assert root is not None
    assert root.outputs["token"] == Secret("s3cret")
    with pytest.raises(Exception, match="incorrect passphrase"):
        passphrase.unlock(checkpoint.salt_of(deployment), "another")


class FakeGoogle(FakeProvider):
    """Behaves like the recorded provider as far as steps and replacements go."""

    async def check(
        self, *, urn: str, type_: str, olds: Properties | None, news: Properties
    ) -> CheckResult:
        """Complete the inputs as the recorded provider does."""
        inputs = {"__defaults": [], **news}
        if type_.endswith(":Subscription"):
            inputs["messageRetentionDuration"] = "604800s"
        return CheckResult(inputs)

    async def diff(
        self,
        *,
        urn: str,
        type_: str,
        id: str,  # noqa: A002
        old_outputs: Properties,
        old_inputs: Properties,
        news: Properties,
        ignore_changes: Sequence[str] = (),
    ) -> DiffResult:
        """Replace where the recorded provider does, deletion first."""
        changed = [
            key
            for key in sorted(old_inputs.keys() | news.keys())
            if without_defaults(old_inputs.get(key)) != without_defaults(news.get(key))
            and key != "__defaults"
        ]
        replaces = [key for key in changed if key in REPLACING[type_.rpartition(":")[2]]]
        if "labels" in changed:
            changed += ["effectiveLabels", "pulumiLabels"]
        detailed = {
            key: DiffKind.UPDATE_REPLACE if key in replaces else DiffKind.UPDATE
            for key in sorted(changed)
        }
        return DiffResult(
            changes=bool(changed),
            replaces=tuple(replaces),
            diffs=tuple(detailed),
            detailed=detailed,
            delete_before_replace=bool(replaces),
        )

    async def create(
        self,
        *,
        urn: str,
        type_: str,
        inputs: Properties,
        timeout: float,
        preview: bool,
    ) -> CreateResult:
        """Make a resource, or refuse a name that is taken."""
        if inputs.get("name") == "taken":
            raise ProviderError("1 error occurred:\n\t* 409: Resource already exists")
        made = await super().create(
            urn=urn, type_=type_, inputs={"name": urn, **inputs}, timeout=timeout, preview=preview
        )
        outputs = dict(made.outputs)
        if type_.endswith(":Account"):
            email = f"{inputs['accountId']}@local-proj.iam.gserviceaccount.com"
            outputs |= {"email": email, "member": f"serviceAccount:{email}"}
        if type_.endswith(":Service"):
            outputs["uri"] = UNKNOWN if preview else "http://127.0.0.1:9/api"
        if not preview:
            self._world.things[made.id] = outputs
        return CreateResult(made.id, outputs)

    async def read(
        self,
        *,
        urn: str,
        type_: str,
        id: str,  # noqa: A002
        outputs: Properties,
        inputs: Properties,
    ) -> ReadResult | None:
        """Read a resource with the inputs that it was given."""
        thing = self._world.things.get(id)
        if thing is None:
            return None
        found = {key: thing.get(key, []) for key in inputs if key in {*thing, "__defaults"}}
        return ReadResult(id, dict(thing), found)

    @staticmethod
    def _outputs(identity: str, inputs: Properties) -> dict[str, Value]:
        return {**inputs, "id": identity}


def essence(events: list[dict[str, Any]]) -> Counter[str]:
    """Reduce events to what does not depend on time, provider or chance."""
    found: Counter[str] = Counter()
    for event in events:
        for kind, payload in event.items():
            if isinstance(payload, dict) and "metadata" in payload:
                metadata = payload["metadata"]
                told = {
                    "kind": kind,
                    "planning": payload.get("planning", False),
                    "old": described(metadata["old"]),
                    "new": described(metadata["new"]),
                    **{
                        key: metadata.get(key)
                        for key in ("op", "urn", "type", "logical", "keys", "diffs")
                    },
                    "hasDetailedDiff": metadata["detailedDiff"] is not None,
                }
                found[json.dumps(told, sort_keys=True)] += 1
    return found


def described(state: dict[str, Any] | None) -> object:
    """Reduce a state in an event to what the engine, not its provider, says of it."""
    if state is None:
        return None
    kept = {
        key: state.get(key)
        for key in ("type", "urn", "custom", "delete", "parent", "protect", "external")
    }
    return {
        **kept,
        "provider": str(state["provider"]).rpartition("::")[0],
        "hasId": bool(state["id"]),
        "hasOutputs": bool(state["outputs"]),
    }


def only_ours(ours: Counter[str], theirs: Counter[str]) -> str:
    """Say how two runs differ; nothing when they do not."""
    lines = [f"ours:   {line}" for line in (ours - theirs).elements()]
    return "\n".join(lines + [f"theirs: {line}" for line in (theirs - ours).elements()])


def summary(events: list[dict[str, Any]]) -> dict[str, Any]:
    """Find the summary among events, without the time that it took."""
    found: dict[str, Any] = next(
        event["summaryEvent"] for event in events if "summaryEvent" in event
    )
    return {key: value for key, value in found.items() if key != "durationSeconds"}


def complaints(events: list[dict[str, Any]]) -> Counter[str]:
    """Collect the errors of the engine itself: of a provider or program they are its own words."""
    return Counter(
        json.dumps({"urn": told.get("urn"), **{k: told[k] for k in ("message", "color")}})
        for event in events
        if (told := event.get("diagnosticEvent", {})).get("severity") == "error"
        and "googleapi" not in told["message"]
        and "409" not in told["message"]
        and "Traceback" not in told["message"]
    )


def counted(stdout: str) -> list[str]:
    """Take the lines that count resources out of what is displayed."""
    lines = [line.rstrip() for line in stdout.splitlines()]
    start = lines.index("Resources:") if "Resources:" in lines else len(lines)
    return [line for line in lines[start + 1 :] if line and not line.startswith("Duration")]


def shape(document: dict[str, Any]) -> dict[str, Any]:
    """Reduce a checkpoint to its resources and how they hang together."""
    kept = (
        "custom",
        "type",
        "parent",
        "dependencies",
        "propertyDependencies",
        "additionalSecretOutputs",
        "external",
        "delete",
    )
    resources = document["checkpoint"]["latest"].get("resources", [])
    # The SDK collects dependencies in sets: their order is chance.
    return {
        item["urn"]: {
            **{key: item.get(key) for key in kept},
            "dependencies": sorted(item.get("dependencies", [])),
            "propertyDependencies": {
                key: sorted(urns) for key, urns in item.get("propertyDependencies", {}).items()
            },
        }
        for item in resources
    }


def without_defaults(value: Value) -> Value:
    """Drop the marks that the recorded provider leaves inside inputs."""
    if isinstance(value, dict):
        return {key: without_defaults(item) for key, item in value.items() if key != "__defaults"}
    return [without_defaults(item) for item in value] if isinstance(value, list) else value


# A scenario's programs, by the recording before which each is put in place.
PROGRAMS = {
    "lifecycle": {"01": 1, "04": 2, "06": 3, "08": 4, "12": 5, "13": 6},
    "protect": {"01": 1, "03": 2},
    "producer": {"01": 1},
    "consumer": {"01": 1},
}


class Replay:
    """One scenario, done again by the embedded engine in a folder of its own."""

    def __init__(
        self, root: Path, scenario: str, world: World, launcher: ZygoteLauncher, state: Path
    ) -> None:
        root.mkdir(exist_ok=True)
        self.scenario = scenario
        self.world = world
        self.bench = Bench(root, world, launcher, name=scenario)
        self.bench.engine = EmbeddedPulumi({"gcp": lambda: FakeGoogle(world)}, launcher=launcher)
        self.bench.environ["PULUMI_BACKEND_URL"] = f"file://{state}"
        self.bench.environ["PULUMI_CONFIG_PASSPHRASE"] = PASSPHRASE
        config = (RECORDED / "lifecycle" / "Pulumi.dev.yaml.txt").read_text()
        (root / "environments" / "Pulumi.dev.yaml").write_text(config)
        self.checkpoint = state / ".pulumi" / "stacks" / scenario / "dev.json"

    def run(self, *words: str) -> tuple[CommandResult, list[dict[str, Any]]]:
        """Run a command line; return how it ended and the events it logged."""
        log = self.bench.root / "log"
        log.unlink(missing_ok=True)
        logged = words[0] in {"up", "preview", "refresh", "destroy"}
        words = (*words, "--event-log", str(log)) if logged else words
        stack = () if words[-1] == "dev" else ("--stack", "dev")
        done = self.bench.engine.execute([*words, *stack], self.bench.root, self.bench.full_environ)
        text = log.read_text() if log.exists() else ""
        return done, [json.loads(line) for line in text.splitlines()]

    def step(self, number: str) -> None:
        """Do what was done in a recording, and compare."""
        (file,) = (RECORDED / self.scenario).glob(f"{number}-*.json")
        recorded = json.loads(file.read_text())
        if program := PROGRAMS[self.scenario].get(number):
            text = (file.parent / f"program-{program}.py.txt").read_text()
            (self.bench.root / "stacks" / "__main__.py").write_text(text)
        if file.stem == "10-refresh":
            for thing in self.world.things.values():
                thing.pop("labels", None)
        done, events = self.run(*recorded["argv"])
        assert done.code == recorded["exit_code"], done.stdout + done.stderr
        assert done.stderr.strip() == recorded["stderr"].strip()
        if recorded["events"]:
            self.compare_events(events, recorded["events"], file.stem)
        elif file.stem in {"14-stack-output", "15-stack-output"}:
            assert json.loads(done.stdout) == json.loads(recorded["stdout"])
        # How far the others come before a failure is chance.
        if file.stem != "13-up" and recorded["checkpoint_after"]:
            assert counted(done.stdout) == counted(recorded["stdout"]), file.name
            written = json.loads(self.checkpoint.read_text())
            assert shape(written) == shape(recorded["checkpoint_after"]), file.name

    def compare_events(
        self, ours: list[dict[str, Any]], theirs: list[dict[str, Any]], name: str
    ) -> None:
        """Compare what was told, whatever its order."""
        for event in ours:
            auto.EngineEvent.from_json(event)
        assert [event["sequence"] for event in ours] == list(range(len(ours)))
        assert "preludeEvent" in ours[0]
        assert "cancelEvent" in ours[-1]
        assert only_ours(complaints(ours), complaints(theirs)) == ""
        if name == "13-up":
            # How far the others come before a failure is chance.
            assert [event for event in ours if "resOpFailedEvent" in event]
            assert summary(ours)["result"] == summary(theirs)["result"]
            return
        assert summary(ours) == summary(theirs), name
        assert only_ours(essence(ours), essence(theirs)) == "", name


def numbers(scenario: str) -> list[str]:
    """Number a scenario's recordings."""
    return sorted(file.name[:2] for file in (RECORDED / scenario).glob("*.json"))


@pytest.mark.parametrize("scenario", ["lifecycle", "protect"])
def test_scenario_is_done_as_recorded(
    scenario: str, tmp_path: Path, world: World, launcher: ZygoteLauncher
) -> None:
    """Each command: exit code, errors, events, counts, what is displayed of them, and state."""
    (tmp_path / "state").mkdir()
    replay = Replay(tmp_path / scenario, scenario, world, launcher, tmp_path / "state")
    assert replay.run("stack", "init", "dev")[0].code == 0
    for number in numbers(scenario):
        replay.step(number)


def test_stacks_that_refer_to_each_other_do_as_recorded(
    tmp_path: Path, world: World, launcher: ZygoteLauncher
) -> None:
    """One gives outputs, secret ones among them, to the other; both are taken down again."""
    state = tmp_path / "state"
    state.mkdir()
    producer, consumer = (
        Replay(tmp_path / name, name, world, launcher, state) for name in ("producer", "consumer")
    )
    for replay in (producer, consumer):
        assert replay.run("stack", "init", "dev")[0].code == 0
    producer.step("01")
    for number in numbers("consumer"):
        consumer.step(number)
    producer.step("02")


def continued(
    recorded: dict[str, Any], tmp_path: Path, world: World, launcher: ZygoteLauncher
) -> Replay:
    """Put a recorded state in place, and into the world what it says is there."""
    scenario = recorded["checkpoint"]["stack"].split("/")[1]
    (tmp_path / "state").mkdir()
    replay = Replay(tmp_path / scenario, scenario, world, launcher, tmp_path / "state")
    replay.checkpoint.parent.mkdir(parents=True)
    text = json.dumps(recorded, ensure_ascii=False, separators=(",", ":"))
    replay.checkpoint.write_text(text)
    if scenario == "consumer":
        # It refers to this one.
        other = json.loads((RECORDED / "producer" / "01-up.json").read_text())["checkpoint_after"]
        beside = replay.checkpoint.parents[1] / "producer" / "dev.json"
        beside.parent.mkdir()
        beside.write_text(json.dumps(other))
    codec = StateCodec(
        lambda: passphrase.unlock(
            checkpoint.salt_of(checkpoint.deployment_of(recorded)), PASSPHRASE
        )
    )
    for state in checkpoint.read(checkpoint.deployment_of(recorded), codec).resources:
        if state.is_managed:
            given = {**state.outputs, **state.inputs}
            world.things[state.id] = plain_properties(given)
    return replay


@pytest.mark.parametrize("recorded", list(recordings()))
def test_recorded_state_is_continued_by_each_command(
    recorded: dict[str, Any], tmp_path: Path, world: World, launcher: ZygoteLauncher
) -> None:
    """Exported and imported it is what it was; refreshed it is the same; destroyed all is gone."""
    replay = continued(recorded, tmp_path, world, launcher)
    latest = recorded["checkpoint"]["latest"]
    known = [item["urn"] for item in latest.get("resources", [])]
    for flags in ([], ["--show-secrets"]):
        exported, _ = replay.run("stack", "export", *flags)
        assert exported.code == 0
        export = tmp_path / "export.json"
        export.write_text(exported.stdout)
        imported, _ = replay.run("stack", "import", "--file", str(export))
        assert imported.code == 0, imported.stderr
        back = json.loads(replay.checkpoint.read_text())
        assert back["checkpoint"]["latest"].get("resources") == latest.get("resources")
        assert back["checkpoint"]["latest"]["manifest"] == latest["manifest"]
    refreshed, events = replay.run("refresh", "--yes")
    assert refreshed.code == 0, refreshed.stdout + refreshed.stderr
    assert set(summary(events)["resourceChanges"]) <= {"same"}
    left = json.loads(replay.checkpoint.read_text())["checkpoint"]["latest"]
    assert [item["urn"] for item in left.get("resources", [])] == known
    # Of the recorded stacks the protected one is the only one that refuses.
    destroyed, _ = replay.run("destroy", "--yes")
    protects = any(item.get("protect") for item in latest.get("resources", []))
    assert destroyed.code == (1 if protects else 0), destroyed.stdout
    assert bool(world.things) == protects


def test_recorded_stack_is_taken_over_without_a_change(
    tmp_path: Path, world: World, launcher: ZygoteLauncher
) -> None:
    """A stack that a real engine brought up previews and updates without a change here."""
    recorded = json.loads((RECORDED / "lifecycle" / "11-up.json").read_text())["checkpoint_after"]
    replay = continued(recorded, tmp_path, world, launcher)
    program = (RECORDED / "lifecycle" / "program-4.py.txt").read_text()
    (replay.bench.root / "stacks" / "__main__.py").write_text(program)
    for words in (("preview", "--expect-no-changes"), ("up", "--yes", "--expect-no-changes")):
        done, events = replay.run(*words)
        assert done.code == 0, done.stdout
        assert summary(events)["resourceChanges"] == {"same": 6}
    assert shape(json.loads(replay.checkpoint.read_text())) == shape(recorded)
