"""A service's own pre-flight test must be a command."""

from __future__ import annotations

from collections.abc import Iterator

from architecture.checks.problem import Problem, placed_services
from architecture.model import Architecture
from architecture.preflight import KEY, declared_command


def preflight_commands(arch: Architecture) -> Iterator[Problem]:
    """What `metadata.preflight` declares can be run."""
    for where, service in placed_services(arch):
        try:
            declared_command(service)
        except ValueError as error:
            message = f"`{KEY}` is no command: {error}"
            fix = "for example `preflight: go test ./...`"
            yield Problem("preflight-command", (*where, "metadata", KEY), message, fix)
