"""Checks of a request against its method's discovery document, as forgiving as Google is.

Forgiven, because real clients do it: proto names (`repository_id`), a body's field given in the
query (`updateMask` of Pub/Sub), enums as numbers (Python's REST clients; the document's order is
taken for the numbering), integers for int64 strings, explicit nulls.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from rehearsal.cloud.calls import JsonObject, camel_case
from rehearsal.cloud.discovery.documents import Method
from rehearsal.cloud.errors import invalid_argument

_INTEGER: Final = re.compile(r"-?[0-9]{1,18}")
_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "boolean": (bool,),
    "integer": (int, float),
    "number": (int, float),
    "string": (str,),
}


def checked_query(method: Method, query: Mapping[str, str]) -> dict[str, str]:
    """Return the query with proper parameter names.

    Raises:
        ApiError: 400; an unknown parameter, one that is no number, or a required one is missing.
    """
    api = method.api
    body_fields: Mapping[str, JsonObject] = (
        api.schemas[method.request].get("properties", {}) if method.request else {}
    )
    known = {*method.parameters, *api.common_parameters, *body_fields}
    checked: dict[str, str] = {}
    for name, value in query.items():
        proper = name if name in known else camel_case(name)
        if proper not in known and not name.startswith("$") and not api.is_lenient:
            raise invalid_argument(
                f'Invalid JSON payload received. Unknown name "{name}": Cannot bind query'
                " parameter. Field could not be found in request message."
            )
        checked[proper] = value
    for name, parameter in method.parameters.items():
        if parameter.get("type") == "boolean" and name in checked:
            # Python's clients write `True`.
            checked[name] = checked[name].lower()
        if parameter.get("type") == "integer" and not _INTEGER.fullmatch(checked.get(name, "0")):
            raise invalid_argument(f"Invalid value at '{name}': \"{checked[name]}\"")
        is_required = parameter.get("required") and parameter["location"] == "query"
        if is_required and name not in checked:
            raise invalid_argument(f"Required parameter: {name}")
    return checked


def checked_body(method: Method, body: JsonObject) -> JsonObject:
    """Return the body as the API understands it.

    Raises:
        ApiError: 400; an unknown field or a value of a wrong type.
    """
    if method.request is None:
        return body
    checked: JsonObject = _Check(method).value({"$ref": method.request}, body, "")
    return checked


class _Check:
    """One walk through a body."""

    def __init__(self, method: Method) -> None:
        self._schemas = method.api.schemas
        self._is_lenient = method.api.is_lenient

    def value(self, schema: JsonObject, value: Any, path: str) -> Any:
        schema = self._schemas[schema["$ref"]] if "$ref" in schema else schema
        kind = schema.get("type", "any")
        if value is None or kind == "any":
            return value
        if kind == "object":
            return self._object(schema, value, path)
        if kind == "array":
            if not isinstance(value, list):
                raise _invalid_value(path, value)
            return [self.value(schema["items"], v, f"{path}[{i}]") for i, v in enumerate(value)]
        return self._scalar(schema, value, path)

    def _object(self, schema: JsonObject, value: Any, path: str) -> JsonObject:
        if not isinstance(value, dict):
            raise _invalid_value(path, value)
        properties: Mapping[str, JsonObject] | None = schema.get("properties")
        others = schema.get("additionalProperties")
        checked: JsonObject = {}
        for name, member in value.items():
            if member is None and not self._is_lenient:
                continue
            at = f"{path}.{name}" if path else name
            proper = self._proper_name(name, properties or {})
            if properties is not None and proper is not None:
                if not properties[proper].get("readOnly"):
                    checked[proper] = self.value(properties[proper], member, at)
            elif others is not None:
                checked[name] = self.value(others, member, at)
            elif properties is None or self._is_lenient:
                checked[name] = member
            else:
                raise invalid_argument(
                    f'Invalid JSON payload received. Unknown name "{name}"'
                    + (f" at '{path}'" if path else "")
                    + ": Cannot find field."
                )
        return checked

    def _proper_name(self, name: str, properties: Mapping[str, JsonObject]) -> str | None:
        if name in properties:
            return name
        proper = camel_case(name)
        return proper if proper in properties and not self._is_lenient else None

    def _scalar(self, schema: JsonObject, value: Any, path: str) -> Any:
        kind = schema["type"]
        if kind == "string" and isinstance(value, int) and not isinstance(value, bool):
            if schema.get("format") in ("int64", "uint64"):
                return str(value)
            if 0 <= value < len(schema.get("enum", ())):
                return schema["enum"][value]
        is_of_type = isinstance(value, _TYPES[kind]) and (
            kind == "boolean" or not isinstance(value, bool)
        )
        if self._is_lenient:
            # The older APIs convert what they can.
            return value
        if not is_of_type or ("enum" in schema and value not in schema["enum"]):
            raise _invalid_value(path, value)
        return value


def _invalid_value(path: str, value: object) -> Exception:
    return invalid_argument(f"Invalid value at '{path}': {value!r}")
