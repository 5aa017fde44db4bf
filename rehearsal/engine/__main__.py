"""The engine in a shell: `python -m rehearsal.engine up --stack dev.foundation`."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

from rehearsal.engine.cli.arguments import parse
from rehearsal.engine.command import EmbeddedPulumi
from rehearsal.engine.errors import EXIT_DECLINED, EXIT_FAILED, CommandFailedError
from rehearsal.engine.provider import ProviderFactory

_WARNS: Final = {
    ("stack", "rm"): "This removes the stack, its configuration and its history.",
    ("cancel",): "This breaks the stack's lock, whoever holds it.",
}
# How many signals an operation may take to end: one to cancel it, one to end it at once.
_PATIENCE: Final = 2
_ASKS = {"up": "update", "update": "update", "refresh": "refresh", "destroy": "destroy"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    engine = EmbeddedPulumi(_providers())
    _listen_to_signals(engine)
    try:
        parsed = parse(words)
        command = parsed.command[0] if parsed.command else ""
        decided = parsed.has("yes") or parsed.has("skip-preview") or parsed.has("preview-only")
        if not decided and not parsed.has("help") and sys.stdin.isatty():
            if command in _ASKS:
                return _ask(engine, words, command)
            if parsed.command in _WARNS and not _is_sure(_WARNS[parsed.command]):
                return EXIT_DECLINED
    except CommandFailedError:
        # The engine itself says what is wrong.
        pass
    return _run(engine, words)


def _providers() -> Mapping[str, ProviderFactory]:
    # Looked up at run time: the engine itself does not know the providers.
    module = importlib.import_module("rehearsal.providers")
    providers: Mapping[str, ProviderFactory] = module.PROVIDERS
    return providers


def _ask(engine: EmbeddedPulumi, words: Sequence[str], command: str) -> int:
    """Show what would happen and go on if the user wants it."""
    looking = [*words, "--preview-only"]
    if _ASKS[command] == "update":
        at = words.index(command)
        looking = [*words[:at], "preview", *words[at + 1 :]]
    if code := _run(engine, looking):
        return code
    sys.stdout.write(f"Do you want to perform this {_ASKS[command]}? [yes/no] ")
    sys.stdout.flush()
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        sys.stdout.write(f"{_ASKS[command]} declined\n")
        return EXIT_DECLINED
    return _run(engine, [*words, "--yes"])


def _is_sure(consequence: str) -> bool:
    """Ask whether something that cannot be taken back is meant."""
    sys.stdout.write(f"{consequence} Is that what you want? [yes/no] ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _run(engine: EmbeddedPulumi, words: Sequence[str]) -> int:
    def out(line: str) -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    def err(line: str) -> None:
        sys.stderr.write(f"{line}\n")

    try:
        return engine.execute(words, Path.cwd(), dict(os.environ), out, err).code
    except KeyboardInterrupt:
        return 130


def _listen_to_signals(engine: EmbeddedPulumi) -> None:
    """Have SIGINT and SIGTERM interrupt the operation under way; the second one ends it at once."""
    received = 0

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        nonlocal received
        received += 1
        if not engine.interrupt():
            raise KeyboardInterrupt
        if received > _PATIENCE:
            # It does not even end at once: a provider blocks the engine.
            os._exit(EXIT_FAILED)

    signal.signal(signal.SIGTERM, interrupt)
    # Who started us in the background may have us ignore Ctrl-C; that stays so.
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, interrupt)


def leave(code: int) -> NoReturn:
    """End the process without waiting for what an ended operation has left behind."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    # At an ordinary exit the interpreter would wait for every thread of a provider.
    os._exit(code)


if __name__ == "__main__":
    leave(main())
