"""Pages of rows: numbered, unlike those of named things, and in the caller's format."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rehearsal.cloud.bigquery.values import cell
from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.errors import failed_precondition, invalid_argument

_MOST_ROWS: Final = 50_000
_FORMATS: Final = frozenset({"", "FLOAT64", "INT64", "TIMESTAMP_OUTPUT_FORMAT_UNSPECIFIED"})


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which rows a caller asks for, and how moments are to be written.

    Attributes:
        start: The first row's number.
        limit: How many rows at most.
        as_int64: Write moments as microseconds.
    """

    start: int
    limit: int
    as_int64: bool

    @classmethod
    def of(
        cls, query: Mapping[str, str], options: Mapping[str, object] | None = None
    ) -> PageRequest:
        """Read a request's parameters; a `jobs.query` has its format in its body, as options.

        Raises:
            ApiError: 400; a token or number is none, or a format is not modelled.
        """
        prefix = "formatOptions."
        given: dict[str, object] = {
            name.removeprefix(prefix): value for name, value in query.items()
        }
        given.update(options or {})
        form = str(given.get("timestampOutputFormat") or "")
        if form not in _FORMATS:
            raise failed_precondition(f"not implemented in the local cloud: {form}")
        as_int64 = form == "INT64" or str(given.get("useInt64Timestamp")).lower() == "true"
        limit = query.get("maxResults")
        start = _start(query["pageToken"]) if query.get("pageToken") else None
        start = int(query.get("startIndex") or 0) if start is None else start
        wanted = _MOST_ROWS if limit is None else int(limit)
        if start < 0 or wanted < 0:
            raise invalid_argument("Page size and start index must not be negative.")
        return cls(start, min(_MOST_ROWS, wanted), as_int64)

    def answer(
        self, columns: Sequence[JsonObject], rows: Sequence[Sequence[object]], total: int
    ) -> JsonObject:
        """The part of an answer that holds rows, each given as kept values by column."""
        told: JsonObject = {"totalRows": str(total)}
        if rows:
            told["rows"] = [
                {
                    "f": [
                        cell(column, value, as_int64=self.as_int64)
                        for column, value in zip(columns, row, strict=True)
                    ]
                }
                for row in rows
            ]
        end = self.start + len(rows)
        return told | ({"pageToken": _token(end)} if end < total and rows else {})


def _token(start: int) -> str:
    return base64.urlsafe_b64encode(f"row:{start}".encode()).decode()


def _start(token: str) -> int:
    try:
        text = base64.urlsafe_b64decode(token.encode()).decode()
        return int(text.removeprefix("row:")) if text.startswith("row:") else int("")
    except (binascii.Error, ValueError) as error:
        raise invalid_argument("Invalid page token.") from error
