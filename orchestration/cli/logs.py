"""Logs of programs that keep running: to standard error, apart from what was asked for."""

from __future__ import annotations

import sys

import structlog


def log_to_stderr() -> None:
    """Log from now on: lines for people on a terminal, JSON elsewhere.

    Tracebacks have no values of variables: those may be tokens, or a customer's.
    """
    rendering: list[structlog.typing.Processor] = [
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(),
    ]
    if sys.stderr.isatty():
        rendering = [
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        ]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *rendering,
        ],
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
