"""A JSON Schema of the architecture file, with which editors complete, explain and check it.

It accepts what the loader reads, and refuses unknown keys; what only a look at the whole file can
tell (references, cycles, unique names) is left to `architecture.checks`.
"""

from __future__ import annotations

import json
import re
import types
import typing
from collections.abc import Iterator
from typing import Final

from pydantic import BaseModel, JsonValue
from pydantic.fields import FieldInfo

from architecture import durations, limits
from architecture.descriptions import describe, summary
from architecture.model import (
    AccessPolicy,
    Architecture,
    BigQueryDataset,
    BigQueryTable,
    CloudSchedulerJob,
    Dataflow,
    DeadLetterPolicy,
    Deployment,
    DurationText,
    EnvironmentOverrides,
    FirestoreCollection,
    FirestoreDatabase,
    GcsBucket,
    HealthCheck,
    LifecycleCondition,
    Model,
    SecretEnvironmentVar,
    Service,
    ServiceMapping,
    Subscription,
    Topic,
)

Schema = dict[str, JsonValue]
Place = tuple[type[Model], str]

TITLE: Final = "Architecture file of conductor (services.yaml)"

_PATTERNS: Final[dict[Place, re.Pattern[str]]] = {
    (Architecture, "name"): limits.ARCHITECTURE_NAME,
    (Architecture, "project_id"): limits.PROJECT_ID,
    (Architecture, "region"): limits.REGION,
    (Service, "name"): limits.SERVICE_NAME,
    (Service, "service_account"): limits.ACCOUNT,
    (EnvironmentOverrides, "project_id"): limits.PROJECT_ID,
    (EnvironmentOverrides, "region"): limits.REGION,
    (Deployment, "region"): limits.REGION,
    (Deployment, "cpu"): limits.CPU,
    (Deployment, "memory"): limits.MEMORY,
    (SecretEnvironmentVar, "name"): limits.VARIABLE_NAME,
    (SecretEnvironmentVar, "value_from"): limits.SECRET_NAME,
    (SecretEnvironmentVar, "version"): re.compile(rf"latest|{limits.SECRET_VERSION.pattern}"),
    (HealthCheck, "path"): re.compile(r"/.*"),
    (AccessPolicy, "role"): limits.ROLE,
    (Topic, "name"): limits.MESSAGING_NAME,
    (Subscription, "name"): limits.MESSAGING_NAME,
    (BigQueryDataset, "name"): limits.DATASET_NAME,
    (BigQueryTable, "dataset"): limits.DATASET_NAME,
    (GcsBucket, "name"): limits.BUCKET_NAME,
    (FirestoreDatabase, "name"): limits.DATABASE_NAME,
    (FirestoreCollection, "database"): limits.DATABASE_NAME,
    (CloudSchedulerJob, "name"): limits.JOB_NAME,
}
_KEY_PATTERNS: Final[dict[Place, re.Pattern[str]]] = {
    (Architecture, "dataflows"): limits.DATAFLOW_NAME,
    (Dataflow, "services"): limits.SERVICE_NAME,
    (Deployment, "environment_vars"): limits.VARIABLE_NAME,
}
_RANGES: Final[dict[Place, tuple[int, int]]] = {
    (Subscription, "ack_deadline_seconds"): limits.ACK_DEADLINE_S,
    (DeadLetterPolicy, "max_delivery_attempts"): limits.DELIVERY_ATTEMPTS,
    (LifecycleCondition, "age_in_days"): limits.AGE_IN_DAYS,
    (HealthCheck, "port"): limits.PORT,
    (Deployment, "min_instances"): limits.MIN_INSTANCES,
    (Deployment, "max_instances"): limits.MAX_INSTANCES,
}
# Keys that a file may leave out though the model needs them: the key that it is under says it.
_NAMED_BY_KEY: Final[frozenset[Place]] = frozenset({(Service, "name"), (Dataflow, "name")})


def editor_schema() -> Schema:
    """Return the schema of an architecture file."""
    definitions: Schema = {}
    for model in models(Architecture):
        definitions[model.__name__] = _model(model)
    root = definitions.pop(Architecture.__name__)
    assert isinstance(root, dict)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        **root,
        "title": TITLE,
        "definitions": definitions,
    }


def schema_text() -> str:
    """Return the schema as the text of its file."""
    return json.dumps(editor_schema(), indent=2, ensure_ascii=False) + "\n"


def is_required(model: type[Model], name: str) -> bool:
    """Return whether a file must have a key."""
    return model.model_fields[name].is_required() and (model, name) not in _NAMED_BY_KEY


def models(root: type[Model]) -> Iterator[type[Model]]:
    """Yield a model and all models that its fields lead to, each once, in the file's order."""
    seen: dict[type[Model], None] = {}
    waiting = [root]
    while waiting:
        model = waiting.pop(0)
        if model in seen:
            continue
        seen[model] = None
        yield model
        for field in model.model_fields.values():
            waiting += _models_in(field.annotation)


def _models_in(annotation: object) -> Iterator[type[Model]]:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from _models_in(argument)


def _model(model: type[Model]) -> Schema:
    fields = model.model_fields
    required: list[JsonValue] = [name for name in fields if is_required(model, name)]
    schema: Schema = {
        "title": model.__name__,
        "description": summary(model),
        "type": "object",
        "properties": {
            name: _field(model, name, field)
            for name, field in fields.items()
            if describe(model, name).is_allowed
        },
        "additionalProperties": False,
    }
    return schema | ({"required": required} if required else {})


def _field(model: type[Model], name: str, field: FieldInfo) -> Schema:
    schema = _value(model, name, field, field.annotation)
    described = describe(model, name)
    goes_to = f" Goes to {described.goes_to}." if described.goes_to else ""
    schema = {"description": described.meaning + goes_to, **schema}
    default = field.get_default(call_default_factory=False)
    if isinstance(default, str | bool) and default != "":
        schema["default"] = default
    return schema


def _value(model: type[Model], name: str, field: FieldInfo, annotation: object) -> Schema:
    """Return what a key may hold; nothing at all is as good as no key, where that is optional."""
    if typing.get_origin(annotation) in {typing.Union, types.UnionType}:
        (annotation,) = (a for a in typing.get_args(annotation) if a is not types.NoneType)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    optional = not is_required(model, name)
    if annotation is JsonValue:
        return {}
    if origin is typing.Literal:
        return {"enum": [*arguments, *([None] if optional else [])]}
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _reference(annotation, optional=optional)
    if origin is tuple:
        return {"type": _or_null("array", optional=optional), "items": _item(arguments[0])}
    if origin is dict:
        schema: Schema = {
            "type": _or_null("object", optional=optional),
            "additionalProperties": _item(arguments[1]),
        }
        keys = _find(_KEY_PATTERNS, model, name)
        return schema | ({"propertyNames": {"pattern": _whole(keys)}} if keys else {})
    return _scalar(model, name, field, annotation, optional=optional)


def _scalar(
    model: type[Model], name: str, field: FieldInfo, annotation: object, *, optional: bool
) -> Schema:
    if annotation is bool:
        return {"type": _or_null("boolean", optional=optional)}
    if annotation is int:
        schema: Schema = {"type": _or_null("integer", optional=optional)}
        allowed = _find(_RANGES, model, name)
        return schema | ({"minimum": allowed[0], "maximum": allowed[1]} if allowed else {})
    if any(isinstance(mark, DurationText) for mark in field.metadata):
        # An older form is a bare count of nanoseconds.
        text = _text(durations.WHOLE, optional=optional)
        return text | {"type": ["string", "integer", "null"], "examples": ["30s", "24h", "7d"]}
    return _text(_find(_PATTERNS, model, name), optional=optional)


def _text(pattern: re.Pattern[str] | None, *, optional: bool) -> Schema:
    """Return a text; a number without quotes is one, too."""
    kinds: list[JsonValue] = ["string", "number", "boolean", *(["null"] if optional else [])]
    if pattern is None:
        return {"type": kinds}
    return {"type": kinds, "pattern": _whole(pattern, or_empty=optional)}


def _item(annotation: object) -> JsonValue:
    """Return what a list or mapping may hold."""
    if annotation is JsonValue:
        return True
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _reference(annotation, optional=False)
    return _text(None, optional=False)


def _reference(model: type[BaseModel], *, optional: bool) -> Schema:
    choices: list[JsonValue] = [{"$ref": f"#/definitions/{model.__name__}"}]
    if model is ServiceMapping:
        choices.append(
            {"description": "The older form: the bare name.", **_text(None, optional=False)}
        )
    if optional:
        choices.append({"type": "null"})
    return {"anyOf": choices} if len(choices) > 1 else {"allOf": choices}


def _or_null(kind: str, *, optional: bool) -> JsonValue:
    return [kind, "null"] if optional else kind


def _whole(pattern: re.Pattern[str], *, or_empty: bool = False) -> str:
    """Return a pattern that fits whole texts only."""
    empty = "|" if or_empty else ""
    return f"^(?:{pattern.pattern}{empty})$"


V = typing.TypeVar("V")


def _find(known: dict[Place, V], model: type[Model], name: str) -> V | None:
    """Return what is known of a field, of a model or of the model it has the field from."""
    for ancestor in model.__mro__:
        if issubclass(ancestor, Model) and (ancestor, name) in known:
            return known[ancestor, name]
    return None
