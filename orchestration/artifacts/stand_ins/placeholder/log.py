"""Log lines, as Cloud Logging reads them."""

from __future__ import annotations

import json

MARK = "placeholder"


def log(severity: str, message: str, **fields: object) -> None:
    """Write one JSON line."""
    line = {"severity": severity, "message": message, MARK: True, **fields}
    print(json.dumps(line), flush=True)  # noqa: T201 - a Cloud Run service logs to its output
