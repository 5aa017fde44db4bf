"""Where text for people goes: results to standard output, errors to standard error."""

from __future__ import annotations

import json
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape

from orchestration.errors import ArchitectureInvalid, ConductorError, PrerequisitesMissing

# Rich breaks lines of a pipe at 80 columns; a log wants them whole.
PIPE_WIDTH = 200


def output() -> Console:
    """Make the console of results and progress."""
    return Console(width=None if sys.stdout.isatty() else PIPE_WIDTH, highlight=False)


def errors() -> Console:
    """Make the console of errors."""
    return Console(stderr=True, width=None if sys.stderr.isatty() else PIPE_WIDTH, highlight=False)


def show_error(error: ConductorError, *, as_json: bool = False) -> None:
    """Print an error: one line with its code, what belongs to it, and what to do."""
    findings = (
        error.findings if isinstance(error, ArchitectureInvalid | PrerequisitesMissing) else ()
    )
    if as_json:
        problem = {
            "event": "error",
            "code": error.code,
            "message": error.message,
            "details": error.details,
            "findings": list(findings),
            "hint": error.hint,
            "exit_code": error.exit_code,
        }
        sys.stdout.write(json.dumps(problem) + "\n")
        return
    console = errors()
    for finding in findings:
        console.print(escape(finding), soft_wrap=True)
    if error.details:
        console.print(escape(error.details), style="dim", soft_wrap=True)
    console.print(
        f"[bold red]error[/][red]\\[{error.code}][/]: {escape(error.message)}", soft_wrap=True
    )
    if error.hint:
        console.print(f"[bold]hint[/]: {escape(error.hint)}", soft_wrap=True)


@contextmanager
def reported(*, as_json: bool = False, debug: bool = False) -> Iterator[None]:
    """Turn what goes wrong in the block into words and the documented exit code.

    SIGTERM, which is how CI systems and service managers cancel, ends the block as Ctrl-C does.

    Raises:
        SystemExit: something went wrong.
    """
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except ConductorError as error:
        show_error(error, as_json=as_json)
        if debug:
            traceback.print_exc()
        raise SystemExit(error.exit_code) from error
    except KeyboardInterrupt:
        errors().print("interrupted; what is up stays up, the next `conductor up` goes on from it")
        raise SystemExit(130) from None
    except Exception as error:
        if debug:
            raise
        internal = ConductorError(
            f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}",
            hint="this is a defect of conductor; run again with --debug and report what it prints",
        )
        show_error(internal, as_json=as_json)
        raise SystemExit(1) from error
    finally:
        signal.signal(signal.SIGTERM, before)
