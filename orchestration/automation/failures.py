"""Why an operation on a stack failed, in our own words."""

from __future__ import annotations

from typing import Final

from pulumi.automation import CommandError, ConcurrentUpdateError

from orchestration.automation.events import EventReader
from orchestration.errors import StackFailed, StackLocked

# How Pulumi refuses a passphrase (its `passphrase` secrets manager).
_INCORRECT: Final = "incorrect passphrase"
_ENCRYPTED_OTHERWISE: Final = (
    "Pulumi.{stack}.yaml was made with another passphrase: bring that one back (a rehearsal keeps"
    " its own in .conductor/ENV/passphrase), or remove the file if nothing of the stack is left"
)


def failure(stack: str, error: CommandError, reader: EventReader) -> StackFailed:
    """Say in one line why an operation failed: the engine's own diagnostics come first."""
    if isinstance(error, ConcurrentUpdateError):
        return StackLocked(
            f"stack {stack} is locked by another operation",
            stack=stack,
            hint="wait for it to end; a lock whose owner has died on this machine is cleared",
        )
    lines = reader.failures.lines() or _errors_in(str(error))
    more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
    return StackFailed(
        f"stack {stack}: {_gist(lines[0])}{more}",
        stack=stack,
        hint=_ENCRYPTED_OTHERWISE.format(stack=stack) if _INCORRECT in lines[0] else "",
        failures={
            name: "\n".join(messages) for name, messages in reader.failures.by_resource.items()
        },
        # What one line cannot hold: every other error, a program's traceback.
        details="\n".join(lines) if len(lines) > 1 or "\n" in lines[0] else "",
    )


def _errors_in(output: str) -> list[str]:
    """Find the errors in a command's output, without the words before them."""
    marked = [line.partition("error:")[2].strip() for line in output.splitlines()]
    return [line for line in marked if line] or [
        next(iter(output.strip().splitlines()), "no reason was given")
    ]


def _gist(text: str) -> str:
    """Put an error on one line; a traceback's last line is the one that says what happened."""
    first, *others = text.strip().splitlines() or ["no reason was given"]
    return f"{first} {others[-1].strip()}" if others and first.endswith(":") else first
