"""`EmbeddedPulumi`: the engine as the Automation API's `PulumiCommand`.

Pass it as `pulumi_command=` to every `LocalWorkspace`. One instance serves any number of threads;
commands that touch resources run in one event loop of their own thread, as gRPC wants it.
"""

from __future__ import annotations

import asyncio
import atexit
import getpass
import os
import queue
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any, Final

from pulumi.automation import CommandResult, PulumiCommand
from pulumi.automation.errors import create_command_error
from semver import VersionInfo

from rehearsal.engine.cli import arguments as command_line
from rehearsal.engine.cli import config_commands, declined, stack_commands, usage
from rehearsal.engine.cli.operations import Operation
from rehearsal.engine.cli.workplace import Workplace
from rehearsal.engine.errors import (
    EXIT_FAILED,
    EXIT_INTERNAL,
    EXIT_USAGE,
    CommandFailedError,
    stack_not_found,
)
from rehearsal.engine.files import describe
from rehearsal.engine.programs.processes import Launcher, ZygoteLauncher
from rehearsal.engine.provider import ProviderFactory
from rehearsal.engine.state.checkpoint import VERSION

_OPERATIONS: Final[Mapping[tuple[str, ...], tuple[str, bool]]] = {
    ("up",): ("update", False),
    ("update",): ("update", False),
    ("preview",): ("update", True),
    ("pre",): ("update", True),
    ("refresh",): ("refresh", False),
    ("destroy",): ("destroy", False),
}
# The system may give a signal to another thread, which does not wake the one that has to act on it.
_WAKING_S: Final = 0.2
# An operation that was told to end at once has this long to release its lock.
_TERMINATION_S: Final = 5.0
OnOutput = Callable[[str], Any]

_loop_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


class EmbeddedPulumi(PulumiCommand):
    """Runs the commands that the Automation API sends, in this process."""

    def __init__(
        self,
        providers: Mapping[str, ProviderFactory],
        *,
        launcher: Launcher | None = None,
    ) -> None:
        """Take the providers there are, by package.

        Args:
            providers: makes an unconfigured provider, by package.
            launcher: starts programs; by default they are forked from a zygote, which all
                instances of this process share.
        """
        # The base class would start a `pulumi` to ask for its version.
        self.command = "embedded"
        self.version = VersionInfo.parse(VERSION)
        self._providers = providers
        self._launcher = launcher or _shared_zygote()
        self._operations: list[Operation] = []

    def warm_up(self) -> None:
        """Begin to import what programs need, so that the first one does not wait for it."""
        self._launcher.warm_up()

    def interrupt(self) -> bool:
        """Take a Ctrl-C for every operation under way, instead of a `KeyboardInterrupt`.

        The first one lets what is under way end, the second one ends it at once. May be called
        from a signal handler.

        Returns:
            whether there was any operation.
        """
        operations = list(self._operations)
        for operation in operations:
            _engine_loop().call_soon_threadsafe(operation.interrupt)
        return bool(operations)

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: OnOutput | None = None,
        on_error: OnOutput | None = None,
    ) -> CommandResult:
        """Run one command, as the base class does with a process.

        Raises:
            CommandError: it failed; the subclass tells how.
            KeyboardInterrupt: the user interrupted; what was under way has been recorded.
        """
        self._launcher.warm_up()
        environ = {**os.environ, **additional_env, "PULUMI_AUTOMATION_API": "true"}
        result = self.execute(list(args), Path(cwd), environ, on_output, on_error)
        if result.code:
            raise create_command_error(result)
        return result

    def execute(
        self,
        args: Sequence[str],
        folder: Path,
        environ: Mapping[str, str],
        on_output: OnOutput | None = None,
        on_error: OnOutput | None = None,
    ) -> CommandResult:
        """Run one command and return its result, whatever it is."""
        out = _Lines(on_output)
        err = _Lines(on_error)
        try:
            code = self._dispatch(args, folder, environ, out, err)
        except CommandFailedError as error:
            err(f"error: {error}")
            code = error.exit_code
        except OSError as error:
            if error is out.broken:
                raise
            err(f"error: {describe(error)}")
            code = EXIT_FAILED
        except Exception as error:
            if error is out.broken:
                raise
            # Callers know only the Automation API's errors.
            err(f"error: internal error of the embedded engine\n{traceback.format_exc()}")
            code = EXIT_INTERNAL
        return CommandResult(stdout=out.text, stderr=err.text, code=code)

    def _dispatch(
        self,
        args: Sequence[str],
        folder: Path,
        environ: Mapping[str, str],
        out: Callable[[str], None],
        err: Callable[[str], None],
    ) -> int:
        parsed = command_line.parse(args)
        folder = folder / parsed.get("cwd")
        work = Workplace(parsed, folder, environ, out, err)
        name = parsed.command
        operation = _OPERATIONS.get(name)
        simple = _SIMPLE.get(name)
        if parsed.has("help") or not name:
            out(usage.text(sorted({*_OPERATIONS, *_SIMPLE})))
            return 0
        if simple is None and operation is None:
            raise declined.command(name)
        if parsed.unknown:
            raise declined.flag(parsed.unknown[0])
        if operation:
            return self._operate(work, *operation)
        if simple:
            simple(work)
        return 0

    def _operate(self, work: Workplace, kind: str, preview: bool) -> int:  # noqa: FBT001
        parsed = work.arguments
        preview = preview or parsed.has("preview-only")
        if not (preview or parsed.has("yes") or parsed.has("skip-preview")):
            raise CommandFailedError(
                "--yes or --skip-preview or --preview-only must be passed in to proceed when"
                " running in non-interactive mode",
                EXIT_USAGE,
            )
        config_commands.set_by_flags(work)
        lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        out, work.out = work.out, lines.put
        operation = Operation(
            work,
            kind=kind,
            preview=preview,
            factories=self._providers,
            launcher=self._launcher,
        )
        loop = _engine_loop()
        running = asyncio.run_coroutine_threadsafe(operation.run(), loop)
        running.add_done_callback(lambda _future: lines.put(None))
        self._operations.append(operation)
        try:
            _relay(lines, out)
        except BaseException:
            # Ctrl-C, or a caller's callback that raised: what is under way must be recorded
            # and the lock released before anybody goes on.
            _end(operation, running)
            raise
        finally:
            self._operations.remove(operation)
        return running.result()


class _Lines:
    """Collects the lines of one stream and passes them on to a callback."""

    def __init__(self, callback: OnOutput | None) -> None:
        self._callback = callback
        self._lines: list[str] = []
        self.broken: Exception | None = None

    def __call__(self, text: str) -> None:
        """Take one line, or several."""
        for line in text.split("\n"):
            self._lines.append(line.rstrip())
            if self._callback is None:
                continue
            try:
                self._callback(line.rstrip())
            except Exception as error:
                self.broken = error
                raise

    @property
    def text(self) -> str:
        """Everything so far."""
        return "\n".join(self._lines)


def _relay(lines: queue.SimpleQueue[str | None], out: Callable[[str], None]) -> None:
    """Hand lines on in the caller's own thread until the operation ends."""
    while True:
        try:
            line = lines.get(timeout=_WAKING_S)
        except queue.Empty:
            continue
        if line is None:
            return
        out(line)


def _end(operation: Operation, running: Future[int]) -> None:
    """Interrupt an operation and wait for its end.

    A second Ctrl-C ends it at once, with its lock released; a third one waits for nothing.
    """
    loop = _engine_loop()
    loop.call_soon_threadsafe(operation.interrupt)
    try:
        while not running.done():
            wait([running], _WAKING_S)
    except KeyboardInterrupt:
        loop.call_soon_threadsafe(operation.interrupt)
        wait([running], _TERMINATION_S)


def _engine_loop() -> asyncio.AbstractEventLoop:
    """Return the loop that all operations of this process share: gRPC allows only one."""
    global _loop  # noqa: PLW0603 (one per process is the point)
    with _loop_lock:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="pulumi-engine", daemon=True).start()
        return _loop


_zygote: ZygoteLauncher | None = None


def _shared_zygote() -> ZygoteLauncher:
    global _zygote  # noqa: PLW0603 (one per process is the point)
    with _loop_lock:
        if _zygote is None:
            _zygote = ZygoteLauncher()
            atexit.register(_zygote.close)
        return _zygote


def _version(work: Workplace) -> None:
    work.out(VERSION)


def _whoami(work: Workplace) -> None:
    user = getpass.getuser()
    if work.arguments.has("json"):
        work.print_json({"user": user, "url": work.backend.url})
    else:
        work.out(user)


def _cancel(work: Workplace) -> None:
    operands = work.arguments.operands
    ref = work.ref(operands[0]) if operands else work.stack
    if not work.backend.exists(ref):
        raise stack_not_found(ref.name)
    work.backend.break_locks(ref)
    work.out(f"The currently running update for '{ref.name}' has been canceled!")


def _no_plugins(work: Workplace) -> None:
    if work.arguments.has("json"):
        work.print_json([])


def _nothing(work: Workplace) -> None:
    """Succeed: the embedded engine has nothing to install."""
    del work


_SIMPLE: Final[Mapping[tuple[str, ...], Callable[[Workplace], None]]] = {
    **stack_commands.COMMANDS,
    **config_commands.COMMANDS,
    ("history",): stack_commands.history,
    ("version",): _version,
    ("whoami",): _whoami,
    ("cancel",): _cancel,
    ("install",): _nothing,
    ("plugin", "ls"): _no_plugins,
}
