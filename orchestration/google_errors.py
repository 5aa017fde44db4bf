"""What Google's error JSON says, in one line: https://cloud.google.com/apis/design/errors."""

from __future__ import annotations

import httpx


def message_of(answer: httpx.Response) -> str:
    """Give the first line of an error's message; what HTTP calls it where there is none."""
    try:
        message = str(answer.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        message = ""
    return message.partition("\n")[0] or answer.reason_phrase


def gist_of(answer: httpx.Response) -> str:
    """Give an error's status and message."""
    return f"{answer.status_code} {message_of(answer)}".strip()
