"""The state of one resource, and how a checkpoint spells it.

Fields that this engine has no use for are carried along untouched (`extra`), so that a stack can
go back and forth between the two engines without losing anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Final

from rehearsal.engine.errors import CommandFailedError
from rehearsal.engine.secrets.codec import StateCodec, expose
from rehearsal.engine.values import urns
from rehearsal.engine.values.gojson import Json, JsonObject
from rehearsal.engine.values.property_values import EngineProperties

# The order in which the real engine writes them, with our names for them.
_FIELDS: Final[Mapping[str, str]] = {
    "urn": "urn",
    "custom": "custom",
    "delete": "delete",
    "id": "id",
    "type": "type",
    "inputs": "inputs",
    "outputs": "outputs",
    "parent": "parent",
    "protect": "protect",
    "taint": "taint",
    "external": "external",
    "dependencies": "dependencies",
    "initErrors": "init_errors",
    "provider": "provider",
    "propertyDependencies": "property_dependencies",
    "pendingReplacement": "pending_replacement",
    "additionalSecretOutputs": "additional_secret_outputs",
    "aliases": "aliases",
    "customTimeouts": "custom_timeouts",
    "importID": "import_id",
    "retainOnDelete": "retain_on_delete",
    "deletedWith": "deleted_with",
    "created": "created",
    "modified": "modified",
    "sourcePosition": "source_position",
    "stackTrace": "stack_trace",
    "ignoreChanges": "ignore_changes",
    "hideDiff": "hide_diffs",
    "replaceOnChanges": "replace_on_changes",
}
_ALWAYS: Final = frozenset({"urn", "custom", "type"})
# No URNs, where the real engine has written `null` instead of a list.
_NONE: Final[list[str]] = []
_PROPERTIES: Final = frozenset({"inputs", "outputs"})


@dataclass(slots=True, eq=False)
class ResourceState:
    """What is recorded of a resource. Compared by identity: a URN may occur twice."""

    urn: str
    type: str
    custom: bool
    id: str = ""
    inputs: EngineProperties = field(default_factory=dict)
    outputs: EngineProperties = field(default_factory=dict)
    parent: str = ""
    provider: str = ""
    dependencies: list[str] = field(default_factory=list)
    property_dependencies: dict[str, list[str]] = field(default_factory=dict)
    delete: bool = False
    protect: bool = False
    taint: bool = False
    external: bool = False
    retain_on_delete: bool = False
    pending_replacement: bool = False
    deleted_with: str = ""
    init_errors: list[str] = field(default_factory=list)
    additional_secret_outputs: list[str] = field(default_factory=list)
    aliases: list[str] = field(default_factory=list)
    custom_timeouts: dict[str, float] = field(default_factory=dict)
    import_id: str = ""
    ignore_changes: list[str] = field(default_factory=list)
    hide_diffs: list[str] = field(default_factory=list)
    replace_on_changes: list[str] = field(default_factory=list)
    created: str = ""
    modified: str = ""
    source_position: str = ""
    stack_trace: list[Json] = field(default_factory=list)
    extra: JsonObject = field(default_factory=dict)

    @property
    def is_provider(self) -> bool:
        """Tell whether this is a provider resource."""
        return urns.is_provider(self.type)

    @property
    def is_managed(self) -> bool:
        """Tell whether a provider has to be asked to change or delete this."""
        return self.custom and not self.is_provider and not self.external

    @property
    def provider_urn(self) -> str:
        """The URN part of the provider reference."""
        return urns.split_reference(self.provider)[0] if self.provider else ""

    def required(self) -> Iterator[str]:
        """Yield the URNs that must exist for this resource to exist."""
        if self.parent:
            yield self.parent
        if self.provider:
            yield self.provider_urn
        if self.deleted_with:
            yield self.deleted_with
        yield from self.dependencies
        for depended in self.property_dependencies.values():
            yield from depended

    def timeout(self, operation: str) -> float:
        """Return the custom timeout of an operation in seconds; 0 is the provider's default."""
        return self.custom_timeouts.get(operation, 0.0)


def _place(document: Mapping[str, Json], name: str) -> str:
    """Say whose properties they are: a resource and the one that replaces it share a URN."""
    return f"{document.get('urn', '')}\0{document.get('id', '')}\0{name}"


# The type of each field's value, which JSON has in common with ours.
_KINDS: Final[Mapping[str, type]] = {
    item.name: type(getattr(ResourceState("", "", custom=False), item.name))
    for item in fields(ResourceState)
}


def read(document: Mapping[str, Json], codec: StateCodec) -> ResourceState:
    """Read a resource of a checkpoint.

    Raises:
        CommandFailedError: a field has a value of another type than it must have.
    """
    # What every resource must have may be missing from a damaged one: `integrity` says so.
    known: dict[str, object] = {"urn": "", "type": "", "custom": False}
    extra: JsonObject = {}
    for key, value in document.items():
        name = _FIELDS.get(key)
        if name is None:
            extra[key] = value
        elif value is None:
            continue
        elif not isinstance(value, _KINDS[name]):
            raise CommandFailedError(
                f"could not deserialize deployment: '{key}' of resource"
                f" '{document.get('urn')}' is not what it must be: {value!r}"
            )
        elif name in _PROPERTIES and isinstance(value, Mapping):
            known[name] = codec.read(_place(document, name), value)
        elif name == "property_dependencies" and isinstance(value, Mapping):
            known[name] = {
                property_: _NONE if urns_ is None else list(urns_)  # type: ignore[arg-type]
                for property_, urns_ in value.items()
            }
        else:
            known[name] = value
    return ResourceState(**known, extra=extra)  # type: ignore[arg-type]


def write(state: ResourceState, codec: StateCodec | None) -> JsonObject:
    """Write a resource for a checkpoint; without a codec with its secrets in the clear."""
    document: JsonObject = {}
    for key, name in _FIELDS.items():
        value = getattr(state, name)
        if name in _PROPERTIES and value:
            place = _place({"urn": state.urn, "id": state.id}, name)
            document[key] = codec.write(place, value) if codec else expose(value)
        elif name == "property_dependencies" and value:
            document[key] = {
                property_: None if value[property_] is _NONE else value[property_]
                for property_ in sorted(value)
            }
        elif value or key in _ALWAYS:
            document[key] = value
    return {**document, **state.extra}


def copy_of(state: ResourceState) -> ResourceState:
    """Copy a state, sharing its properties."""
    return ResourceState(**{item.name: getattr(state, item.name) for item in fields(state)})
