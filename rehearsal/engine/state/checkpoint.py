"""The checkpoint of a stack: what is deployed, and what was under way when it was written."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from rehearsal.engine import clock
from rehearsal.engine.errors import CommandFailedError
from rehearsal.engine.secrets.codec import StateCodec
from rehearsal.engine.state import states
from rehearsal.engine.state.states import ResourceState
from rehearsal.engine.values import urns
from rehearsal.engine.values.gojson import Json, JsonObject

VERSION: Final = "3.260.0"
FORMAT: Final = 3
_READABLE_FORMATS: Final = (3, 4)
_DEPLOYMENT_KEYS: Final = frozenset(
    {"manifest", "secrets_providers", "resources", "pending_operations", "metadata"}
)
_MANIFEST_KEYS: Final = frozenset({"time", "magic", "version"})


@dataclass(frozen=True, slots=True)
class PendingOperation:
    """A step that had begun and not ended; `kind` is creating, updating, deleting, …."""

    resource: ResourceState
    kind: str
    extra: JsonObject = field(default_factory=dict)


@dataclass(slots=True)
class Snapshot:
    """The resources of a stack, in an order in which they could be made.

    What this engine has no use for is carried along: `extra` of the deployment, and all of
    `manifest` and `secrets_providers` as they were read.
    """

    salt: str
    resources: list[ResourceState] = field(default_factory=list)
    pending: list[PendingOperation] = field(default_factory=list)
    metadata: JsonObject = field(default_factory=dict)
    manifest: JsonObject = field(default_factory=dict)
    secrets_providers: JsonObject = field(default_factory=dict)
    extra: JsonObject = field(default_factory=dict)

    def root(self) -> ResourceState | None:
        """Return the stack's own resource, which holds its outputs."""
        return next(
            (item for item in self.resources if item.type == urns.ROOT_TYPE and not item.delete),
            None,
        )

    @property
    def has_its_magic(self) -> bool:
        """Tell whether the manifest is the one that its writer wrote."""
        version = str(self.manifest.get("version") or "")
        return str(self.manifest.get("magic") or "") == (_magic(version) if version else "")


def manifest() -> JsonObject:
    """Describe who writes a checkpoint, and when."""
    return {"time": clock.rfc3339(), "magic": _magic(VERSION), "version": VERSION}


def _magic(version: str) -> str:
    return hashlib.sha256(version.encode()).hexdigest()


def deployment_of(document: Mapping[str, Json]) -> JsonObject:
    """Take the deployment out of a checkpoint or an export, refusing formats we cannot read.

    Raises:
        CommandFailedError: the format or one of its features is unknown.
    """
    version = document.get("version")
    if version not in _READABLE_FORMATS:
        raise CommandFailedError(f"unsupported checkpoint version {version}")
    features = document.get("features")
    if features:
        names = ", ".join(str(name) for name in features) if isinstance(features, list) else ""
        raise CommandFailedError(f"unsupported features: {names}")
    if "deployment" in document:
        deployment = document["deployment"]
    else:
        checkpoint = document.get("checkpoint")
        deployment = checkpoint.get("latest") if isinstance(checkpoint, Mapping) else None
    return dict(deployment) if isinstance(deployment, Mapping) else {}


def salt_of(deployment: Mapping[str, Json]) -> str:
    """Find the salt of the passphrase in a deployment; empty when there is none.

    Raises:
        CommandFailedError: its secrets are kept by another kind of manager.
    """
    providers = deployment.get("secrets_providers")
    if not isinstance(providers, Mapping) or not providers.get("type"):
        return ""
    if providers["type"] != "passphrase":
        raise CommandFailedError(f"unsupported secrets provider: {providers['type']}")
    state = providers.get("state")
    return str(state.get("salt", "")) if isinstance(state, Mapping) else ""


def read(deployment: Mapping[str, Json], codec: StateCodec) -> Snapshot:
    """Read the deployment of a checkpoint."""
    return Snapshot(
        salt=salt_of(deployment),
        resources=[states.read(item, codec) for item in _objects(deployment.get("resources"))],
        pending=[
            PendingOperation(
                states.read(_object(item.get("resource")), codec),
                str(item.get("type", "")),
                {key: value for key, value in item.items() if key not in ("resource", "type")},
            )
            for item in _objects(deployment.get("pending_operations"))
        ],
        metadata=_object(deployment.get("metadata")),
        manifest=_object(deployment.get("manifest")),
        secrets_providers=_object(deployment.get("secrets_providers")),
        extra={key: value for key, value in deployment.items() if key not in _DEPLOYMENT_KEYS},
    )


def write(
    snapshot: Snapshot,
    codec: StateCodec | None,
    *,
    write_state: Callable[[ResourceState], Json] | None = None,
    written_by: Mapping[str, Json] | None = None,
) -> JsonObject:
    """Write the deployment of a checkpoint.

    Args:
        snapshot: what to write.
        codec: encrypts the secrets; without it they are written in the clear.
        write_state: writes one resource, when the caller has a quicker way.
        written_by: the manifest, when an earlier writer's is to be kept.
    """
    write_one = write_state or partial(states.write, codec=codec)
    unknown = {key: value for key, value in snapshot.manifest.items() if key not in _MANIFEST_KEYS}
    deployment: JsonObject = {"manifest": dict(written_by or {**manifest(), **unknown})}
    if snapshot.salt:
        deployment["secrets_providers"] = _secrets_providers(snapshot)
    if snapshot.resources:
        deployment["resources"] = [write_one(item) for item in snapshot.resources]
    if snapshot.pending:
        deployment["pending_operations"] = [
            {"resource": write_one(item.resource), "type": item.kind, **item.extra}
            for item in snapshot.pending
        ]
    return {**deployment, "metadata": snapshot.metadata, **snapshot.extra}


def _secrets_providers(snapshot: Snapshot) -> JsonObject:
    state = {**_object(snapshot.secrets_providers.get("state")), "salt": snapshot.salt}
    return {**snapshot.secrets_providers, "type": "passphrase", "state": state}


def wrap(deployment: Json, stack: str, before: Mapping[str, Json]) -> JsonObject:
    """Make a stack's file of its deployment, with what the file `before` had around its own."""
    around = _object(before.get("checkpoint"))
    return {
        "version": FORMAT,
        "checkpoint": {**around, "stack": stack, "latest": deployment},
        **{key: value for key, value in before.items() if key not in ("version", "checkpoint")},
    }


def _objects(value: Json) -> list[JsonObject]:
    if not isinstance(value, list):
        return []
    return [dict(item) for item in value if isinstance(item, Mapping)]


def _object(value: Json) -> JsonObject:
    return dict(value) if isinstance(value, Mapping) else {}
