"""The values of topics and subscriptions: names, durations, bounds and update masks."""

import re
from collections.abc import Collection, Sequence

from rehearsal.cloud.calls import JsonObject, snake_case
from rehearsal.cloud.errors import failed_precondition, invalid_argument
from rehearsal.cloud.field_masks import masked, path_segments

_RESOURCE_ID = re.compile(r"[A-Za-z][A-Za-z0-9._~+%-]{2,254}")
_DURATION = re.compile(r"(?P<seconds>\d+(?:\.\d{1,9})?)s")

MINUTE_S = 60.0
DAY_S = 86_400.0


def check_name(name: str, collection: str) -> None:
    """Refuse a resource name outside Pub/Sub's rules.

    Raises:
        ApiError: 400, with Google's words.
    """
    parts = name.split("/")
    is_path = len(parts) == 4 and parts[0] == "projects" and parts[2] == collection  # noqa: PLR2004 - projects/P/topics/T
    if is_path and _RESOURCE_ID.fullmatch(parts[3]) and not parts[3].startswith("goog"):
        return
    raise invalid_argument(
        f"Invalid resource name given (name={name}). Refer to "
        "https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names for more information."
    )


def seconds_of(duration: str, field: str) -> float:
    """Read a duration of Google's JSON (`"600s"`).

    Raises:
        ApiError: 400, the text is no duration.
    """
    match = _DURATION.fullmatch(duration)
    if match is None:
        raise invalid_argument(
            f"Invalid value at '{field}' (type.googleapis.com/google.protobuf.Duration), "
            f'"{duration}"'
        )
    return float(match["seconds"])


def check_bounds(seconds: float, low_s: float, high_s: float, field: str) -> None:
    """Refuse a duration outside its bounds.

    Raises:
        ApiError: 400, naming the field and the bounds.
    """
    if not low_s <= seconds <= high_s:
        raise invalid_argument(
            f"Invalid {field} given (seconds={seconds:g}). "
            f"It must be between {low_s:g} and {high_s:g} seconds."
        )


def fields_of_mask(mask: Sequence[str]) -> list[str]:
    """Return the top-level fields an update mask names; paths may be nested."""
    return [path_segments(path)[0] for path in mask]


def merge_masked(
    current: JsonObject,
    update: JsonObject,
    mask: Sequence[str] | None,
    *,
    mutable: Collection[str],
    kind: str,
) -> JsonObject:
    """Return the resource after an update of the masked fields; a field left out is cleared.

    Raises:
        ApiError: 400, the mask is empty or names a field that cannot change.
    """
    if mask is None:
        raise invalid_argument("The update_mask in the Update request must be set.")
    fields = fields_of_mask(mask)
    for field in fields:
        if field not in mutable:
            raise invalid_argument(
                f"Invalid update_mask provided in the Update{kind}Request: "
                f"'{snake_case(field)}' is not a known {kind} field or cannot be updated."
            )
    merged = masked(current, update, mask)
    return {k: value for k, value in merged.items() if k not in fields or not is_unset(value)}


def refuse_unmodelled(body: JsonObject, fields: Collection[str], kind: str) -> None:
    """Refuse settings that would have no effect here, rather than keep them and look right.

    Raises:
        ApiError: 400, naming the setting.
    """
    for field in fields:
        if not is_unset(body.get(field)):
            raise failed_precondition(f"not implemented in the local cloud: a {kind}'s {field}")


def without_empty(body: JsonObject) -> JsonObject:
    """Return the body without members that proto3 JSON leaves out."""
    return {key: value for key, value in body.items() if not is_unset(value)}


def is_unset(value: object) -> bool:
    """Return whether proto3 JSON leaves a member of this value out."""
    return value is None or value is False or value in ("", {}, [])
