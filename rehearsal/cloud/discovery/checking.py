"""Checks of a request against its method's discovery document, as forgiving as Google is.

Forgiven, because real clients do it: proto names (`repository_id`), the mask of a body given in
the query (`updateMask` of Pub/Sub), explicit nulls, and what `values` says of scalars. Storage and
BigQuery, the older APIs, ignore fields that they do not know, and give nulls a meaning.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from rehearsal.cloud.calls import JsonObject, camel_case, snake_case
from rehearsal.cloud.discovery.documents import Method
from rehearsal.cloud.discovery.values import NoSuchValueError, read_scalar, type_name
from rehearsal.cloud.errors import ApiError, bad_request

_MASK: Final = "updateMask"
_INVALID_PAYLOAD: Final = "Invalid JSON payload received."


def checked_query(method: Method, query: Mapping[str, str]) -> dict[str, str]:
    """Return the query with proper parameter names.

    Raises:
        ApiError: 400; an unknown parameter, a value of a wrong type, or a required one is missing.
    """
    checked: dict[str, str] = {}
    violations: list[tuple[str, str]] = []
    for name, value in query.items():
        proper = _parameter_name(method, name)
        if proper is None:
            if not method.api.is_lenient:
                violations.append(("", _cannot_bind(name)))
            continue
        try:
            checked[proper] = _parameter_value(method.parameters.get(proper, {}), value)
        except NoSuchValueError:
            path, kind = snake_case(proper), type_name(method.parameters[proper])
            violations.append((path, f"Invalid value at '{path}' ({kind}), \"{value}\""))
    if violations:
        raise bad_request(violations)
    for name, parameter in method.parameters.items():
        is_required = parameter.get("required") and parameter["location"] == "query"
        if is_required and name not in checked:
            raise ApiError(
                400, "INVALID_ARGUMENT", f"Required parameter: {name}", reason="required"
            )
    return checked


def checked_body(method: Method, body: Any) -> JsonObject:
    """Return the body as the API understands it.

    Raises:
        ApiError: 400; no object, an unknown field or a value of a wrong type.
    """
    if not isinstance(body, dict):
        message = f'{_INVALID_PAYLOAD} Unknown name "": Root element must be a message.'
        raise bad_request([("", message)])
    if method.request is None and method.api.is_lenient:
        return {}
    check = _Check(method)
    schema: JsonObject = {"$ref": method.request} if method.request else _NOTHING
    checked: JsonObject = check.value(schema, body, method.body_path)
    if check.violations:
        raise bad_request(check.violations)
    return checked


def require_fields(method: Method, query: Mapping[str, str], body: JsonObject) -> None:
    """Refuse a request without what its document calls required.

    The older APIs say it in their own words. An update needs only what it changes.

    Raises:
        ApiError: 400.
    """
    if method.api.is_lenient:
        return
    missing = [
        snake_case(name)
        for name, parameter in method.parameters.items()
        if parameter.get("isRequired") and parameter["location"] == "query" and not query.get(name)
    ]
    if method.request and method.http_method != "PATCH":
        missing += _missing(method, {"$ref": method.request}, body, method.body_path)
    if missing:
        raise bad_request([(path, f"Missing required field: {path}") for path in missing])


# Messages that gcloud sends empty, where it has nothing to say.
_EMPTY_IS_NONE: Final = frozenset({"cmekConfig"})
_NOTHING: Final[JsonObject] = {"type": "object", "properties": {}}


class _Check:
    """One walk through a body; it finds all that is wrong, as Google does."""

    def __init__(self, method: Method) -> None:
        self.violations: list[tuple[str, str]] = []
        self._api = method.api
        self._is_lenient = method.api.is_lenient
        # A patch of theirs removes what it sets to null.
        self._keeps_nulls = method.api.is_lenient and method.http_method == "PATCH"

    def value(self, schema: JsonObject, value: Any, path: str) -> Any:
        name = schema.get("$ref", "")
        schema = self._api.schemas[name] if name else schema
        kind = schema.get("type", "any")
        if value is None or kind == "any":
            return value
        if kind == "array":
            return self._array(schema["items"], value, path)
        if isinstance(value, list):
            parent, _, last = path.rpartition(".")
            self._refuse_name(last, parent, "Proto field is not repeating, cannot start list.")
        elif kind != "object":
            return self._scalar(schema, value, path)
        elif isinstance(value, dict):
            return self._object(schema, value, path)
        else:
            self._refuse_value(path, self._api.message_type(name), value)
        return None

    def _scalar(self, schema: JsonObject, value: Any, path: str) -> Any:
        try:
            return read_scalar(schema, value, is_lenient=self._is_lenient)
        except NoSuchValueError as error:
            self._refuse_value(path, type_name(schema), value, str(error))
            return None

    def _array(self, items: JsonObject, value: Any, path: str) -> list[Any] | None:
        if not isinstance(value, list):
            kind = self._api.message_type(items["$ref"]) if "$ref" in items else type_name(items)
            self._refuse_value(path, kind, value)
            return None
        return [
            self.value(items, entry, f"{path}[{number}]")
            for number, entry in enumerate(value)
            if entry is not None
        ]

    def _object(self, schema: JsonObject, value: JsonObject, path: str) -> JsonObject:
        properties: Mapping[str, JsonObject] = schema.get("properties") or {}
        others = schema.get("additionalProperties")
        checked: JsonObject = {}
        for number, (name, member) in enumerate(value.items()):
            proper = self._proper_name(name, properties)
            if member is None and not (self._keeps_nulls and (proper or others)):
                if proper is None and others is None and not self._is_lenient:
                    self._refuse_name(name, path, "Cannot find field.")
                continue
            if proper is not None:
                if not properties[proper].get("readOnly"):
                    at = f"{path}.{snake_case(proper)}" if path else snake_case(proper)
                    found = self.value(properties[proper], member, at)
                    if not _is_unspecified(properties[proper], found):
                        checked[proper] = found
            elif others is not None:
                checked[name] = self.value(others, member, f"{path}[{number}].value")
            elif not self._is_lenient:
                self._refuse_name(name, path, "Cannot find field.")
        return checked

    def _proper_name(self, name: str, properties: Mapping[str, JsonObject]) -> str | None:
        if name in properties:
            return name
        proper = camel_case(name)
        return proper if proper in properties and not self._is_lenient else None

    def _refuse_name(self, name: str, path: str, reason: str) -> None:
        where = f" at '{path}'" if path else ""
        self.violations.append((path, f'{_INVALID_PAYLOAD} Unknown name "{name}"{where}: {reason}'))

    def _refuse_value(self, path: str, kind: str, value: Any, reason: str = "") -> None:
        shown = reason or json.dumps(value)
        if reason and kind.startswith("type."):
            shown = f"Field '{camel_case(path.rpartition('.')[2])}', {reason}"
        self.violations.append((path, f"Invalid value at '{path}' ({kind}), {shown}"))


def _is_unspecified(schema: JsonObject, value: Any) -> bool:
    """Tell whether an enum says nothing: its zero, which clients may send, is as good as absent."""
    return "enum" in schema and isinstance(value, str) and value.endswith("_UNSPECIFIED")


def _cannot_bind(name: str) -> str:
    return (
        f'{_INVALID_PAYLOAD} Unknown name "{name}": Cannot bind query parameter.'
        f" Field '{name}' could not be found in request message."
    )


def _parameter_name(method: Method, name: str) -> str | None:
    known = {*method.parameters, *method.api.common_parameters}
    if method.request and _MASK in method.api.schemas[method.request].get("properties", {}):
        known.add(_MASK)
    if name in known or name.startswith("$"):
        return name
    proper = camel_case(name)
    return proper if proper in known else None


def _parameter_value(parameter: JsonObject, value: str) -> str:
    """A parameter's value as handlers expect it, still as text."""
    if parameter.get("type", "string") == "string" and "enum" not in parameter:
        return value
    values = value.split(",") if parameter.get("repeated") else [value]
    read = [read_scalar(parameter, one) for one in values]
    return ",".join(str(one).lower() if isinstance(one, bool) else str(one) for one in read)


def _missing(method: Method, schema: JsonObject, value: Any, path: str) -> Iterator[str]:
    """The paths of required fields that an object or its parts lack; numbers are never absent."""
    schema = method.api.schemas[schema["$ref"]] if "$ref" in schema else schema
    if isinstance(value, list):
        for number, entry in enumerate(value):
            yield from _missing(method, schema.get("items", {}), entry, f"{path}[{number}]")
    elif isinstance(value, dict):
        for name, member_schema in schema.get("properties", {}).items():
            at = f"{path}.{snake_case(name)}" if path else snake_case(name)
            is_asked = name not in method.parameters and member_schema.get("type") != "integer"
            if member_schema.get("isRequired") and is_asked and value.get(name) in (None, "", []):
                yield at
            elif name in value and not (name in _EMPTY_IS_NONE and value[name] == {}):
                yield from _missing(method, member_schema, value[name], at)
