"""Where text for people goes: results to standard output, errors to standard error."""

from __future__ import annotations

import json
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeAlias

from rich.console import Console
from rich.markup import escape

from orchestration.concurrency import is_stopped_by_request, stop_waiting
from orchestration.errors import ArchitectureInvalid, ConductorError, PrerequisitesMissing
from orchestration.review.errors import PolicyDenied

Handler: TypeAlias = "Callable[[int, FrameType | None], Any] | int | None"

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
        error.findings
        if isinstance(error, ArchitectureInvalid | PolicyDenied | PrerequisitesMissing)
        else ()
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
    before = _stop_on_signals()
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
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop_on_signals() -> dict[signal.Signals, Handler]:
    """Have Ctrl-C and SIGTERM end every wait of this process, and give the handlers before."""
    before: dict[signal.Signals, Handler] = {signal.SIGTERM: signal.getsignal(signal.SIGTERM)}
    signal.signal(signal.SIGTERM, _on_stop)
    # Whoever started us in the background may have us ignore Ctrl-C; that stays so.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        before[signal.SIGINT] = signal.signal(signal.SIGINT, _on_stop)
    return before


def _on_stop(_number: int, _frame: FrameType | None) -> None:
    # The exception alone is not enough: where it arises, foreign code may swallow it. Elsewhere,
    # because the interrupted code may hold the lock that is needed to say so.
    threading.Thread(target=stop_waiting, daemon=True).start()
    if not is_stopped_by_request():
        raise KeyboardInterrupt
