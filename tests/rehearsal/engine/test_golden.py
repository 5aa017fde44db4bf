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
from rehearsal.engine.values.property_values import Secret

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
        found = {key: thing[key] for key in inputs if key in thing}
        return ReadResult(id, dict(thing), {**found, "__defaults": inputs["__defaults"]})

    @staticmethod
    def _outputs(identity: str, inputs: Properties) -> dict[str, Value]:
        return {**inputs, "id": identity}


def essence(events: list[dict[str, Any]]) -> Counter[tuple[Any, ...]]:
    """Reduce events to what does not depend on time, provider or chance."""
    found: Counter[tuple[Any, ...]] = Counter()
    for event in events:
        for kind, payload in event.items():
            if isinstance(payload, dict) and "metadata" in payload:
                metadata = payload["metadata"]
                found[
                    kind,
                    metadata["op"],
                    metadata["urn"],
                    metadata.get("logical", False),
                    tuple(metadata.get("keys", ())),
                    tuple(metadata.get("diffs", ())),
                    payload.get("planning", False),
                ] += 1
    return found


def summary(events: list[dict[str, Any]]) -> dict[str, Any]:
    """Find the summary among events."""
    return next(event["summaryEvent"] for event in events if "summaryEvent" in event)


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


def perform(bench: Bench, words: list[str], log: Path) -> list[dict[str, Any]]:
    """Run one recorded command line and return the events it logged."""
    environ = {**os.environ, **bench.environ, "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE}
    arguments = [*words, "--stack", "dev", "--event-log", str(log)]
    bench.engine.execute(arguments, bench.root, environ)
    return [json.loads(line) for line in log.read_text().splitlines()]


def test_lifecycle_takes_the_recorded_steps(
    tmp_path: Path, world: World, launcher: ZygoteLauncher
) -> None:
    """Every recorded preview, up, refresh and destroy takes the same steps here."""
    bench = Bench(tmp_path, world, launcher, name="lifecycle")
    bench.engine = EmbeddedPulumi({"gcp": lambda: FakeGoogle(world)}, launcher=launcher)
    folder = RECORDED / "lifecycle"
    config = (folder / "Pulumi.dev.yaml.txt").read_text()
    (tmp_path / "environments" / "Pulumi.dev.yaml").write_text(config)
    environ = {**os.environ, **bench.environ, "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE}
    assert bench.engine.execute(["stack", "init", "dev"], tmp_path, environ).code == 0
    programs = {"01": 1, "04": 2, "06": 3, "08": 4, "12": 5, "13": 6}
    for file in sorted(folder.glob("*.json")):
        number = file.name[:2]
        recorded = json.loads(file.read_text())
        if number in programs:
            text = (folder / f"program-{programs[number]}.py.txt").read_text()
            (tmp_path / "stacks" / "__main__.py").write_text(text)
        if not recorded["events"]:
            continue
        if number == "10":
            for thing in world.things.values():
                thing.pop("labels", None)
        log = tmp_path / f"{file.stem}.log"
        events = perform(bench, recorded["argv"], log)
        ours, theirs = summary(events), summary(recorded["events"])
        assert ours["result"] == theirs["result"], file.name
        if number == "13":
            # How far the others come before the failure is chance.
            assert [event for event in events if "resOpFailedEvent" in event]
            continue
        assert ours["resourceChanges"] == theirs["resourceChanges"], file.name
        assert essence(events) == essence(recorded["events"]), file.name
        written = json.loads(bench.checkpoint_file().read_text())
        assert shape(written) == shape(recorded["checkpoint_after"]), file.name
        for event in events:
            auto.EngineEvent.from_json(event)


def test_recorded_stack_is_taken_over_without_a_change(
    tmp_path: Path, world: World, launcher: ZygoteLauncher
) -> None:
    """A stack that a real engine brought up previews no change here."""
    bench = Bench(tmp_path, world, launcher, name="lifecycle")
    bench.engine = EmbeddedPulumi({"gcp": lambda: FakeGoogle(world)}, launcher=launcher)
    folder = RECORDED / "lifecycle"
    for name, target in (
        ("Pulumi.dev.yaml.txt", tmp_path / "environments" / "Pulumi.dev.yaml"),
        ("program-4.py.txt", tmp_path / "stacks" / "__main__.py"),
    ):
        target.write_text((folder / name).read_text())
    recorded = json.loads((folder / "11-up.json").read_text())["checkpoint_after"]
    bench.checkpoint_file().parent.mkdir(parents=True)
    bench.checkpoint_file().write_text(json.dumps(recorded))
    events = perform(bench, ["preview"], tmp_path / "log")
    assert summary(events)["resourceChanges"] == {"same": 6}
