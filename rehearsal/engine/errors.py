"""How a command of the embedded engine fails.

The texts matter: the Automation API chooses its exception by what stands on which stream.
"""

from __future__ import annotations

from typing import Final

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
EXIT_STACK_NOT_FOUND: Final = 6
EXIT_CHANGES: Final = 7
EXIT_DECLINED: Final = 8
EXIT_INTERNAL: Final = 255


class CommandFailedError(Exception):
    """A command failed; the message goes to standard error behind `error: `."""

    def __init__(self, message: str, exit_code: int = EXIT_FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class DeclinedError(CommandFailedError):
    """The embedded engine does not do this; a real `pulumi` does."""

    def __init__(self, what: str, instead: str = "") -> None:
        """Decline `what`; without a better idea of what to do `instead`, name the real engine."""
        instead = instead or "a real `pulumi` does it, on the same state"
        super().__init__(f"{what} is not supported by the embedded engine: {instead}", EXIT_USAGE)


class StateNotSavedError(CommandFailedError):
    """What an operation has done could not be put on record, or is recorded but breaks the rules.

    Nothing more may be done then.
    """


class BailError(Exception):
    """The operation failed and its diagnostics are already displayed."""


class DeploymentError(Exception):
    """A rule of the engine was broken by a resource; the message is what the user reads."""

    def __init__(self, message: str, urn: str = "") -> None:
        super().__init__(message)
        self.urn = urn


def stack_not_found(name: str) -> CommandFailedError:
    """Say that a stack does not exist, in the words the Automation API looks for."""
    return CommandFailedError(f"no stack named '{name}' found", EXIT_STACK_NOT_FOUND)
