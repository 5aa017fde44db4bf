"""Pulumi's own command line for one stack alone: which engine, which variables, what it changes.

The words are the engine's business; here only those are read that say which stack they are about
and whether it changes. Everything else is passed on as it is.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from orchestration.automation.engines import EngineName, require_pulumi
from orchestration.automation.stacks import UPSTREAM_VARIABLE

STACK_VARIABLE = "PULUMI_STACK"
# Variables that would win over ours, or tell the program that somebody predicts outputs for it.
DISTURBING = ("PULUMI_CONFIG_PASSPHRASE", UPSTREAM_VARIABLE)
# Commands that reach the cloud.
_DEPLOYING = frozenset({"up", "update", "preview", "pre", "refresh", "destroy", "import", "watch"})
_CHANGING = {
    "up": frozenset[str](),
    "update": frozenset[str](),
    "refresh": frozenset[str](),
    "destroy": frozenset[str](),
    "import": frozenset[str](),
    "watch": frozenset[str](),
    "cancel": frozenset[str](),
    "state": frozenset[str](),
    "stack": frozenset({"init", "rm", "import", "rename", "change-secrets-provider", "tag"}),
    "config": frozenset({"set", "set-all", "rm", "rm-all", "refresh", "cp"}),
}
# Commands that take the stack's name as an operand.
_NAMING = frozenset({("stack", "init"), ("stack", "select"), ("stack", "rm"), ("cancel",)})
# Flags whose value is the next word; others stand alone or carry theirs behind `=`.
_VALUED = frozenset({"-s", "--stack", "-C", "--cwd", "--color", "-v", "--verbose", "--tracing"})


def stack_in(words: Sequence[str], environ: Mapping[str, str] = os.environ) -> str | None:
    """Find the name of the stack that a command line is about, without organisation and project."""
    named = next(_flag_values(words), None) or _operand_stack(words) or environ.get(STACK_VARIABLE)
    return named.rpartition("/")[2] if named else None


def is_deploying(words: Sequence[str]) -> bool:
    """Say whether a command talks to the cloud."""
    return _operands(words)[:1] != [] and _operands(words)[0] in _DEPLOYING


def is_changing(words: Sequence[str]) -> bool:
    """Say whether a command changes the stack: its resources, its state or its configuration."""
    operands = _operands(words)
    if not operands or operands[0] not in _CHANGING or "--preview-only" in words:
        return False
    among = _CHANGING[operands[0]]
    return not among or (len(operands) > 1 and operands[1] in among)


def run_pulumi(
    words: Sequence[str], *, engine: EngineName, folder: Path, variables: Mapping[str, str]
) -> int:
    """Run one command line of Pulumi on this terminal and give the engine's exit code.

    Raises:
        PrerequisitesMissing: the real `pulumi` was asked for, and is not there or too old.
    """
    if engine is EngineName.PULUMI:
        command = [require_pulumi().command]
    else:
        command = [sys.executable, "-m", "rehearsal.engine"]
    environ = {name: value for name, value in os.environ.items() if name not in DISTURBING}
    process = subprocess.Popen([*command, *words], cwd=folder, env={**environ, **variables})
    with _leaving_signals_to(process):
        code = process.wait()
    # As a shell has it: ended by a signal is 128 and its number.
    return code if code >= 0 else 128 - code


@contextmanager
def _leaving_signals_to(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Let the engine end by itself: it records what is under way and releases its lock.

    Ctrl-C reaches it from the terminal as it reaches us; SIGTERM is for us alone.
    """
    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, lambda *_: None),
        signal.SIGTERM: signal.signal(signal.SIGTERM, lambda *_: process.terminate()),
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _flag_values(words: Sequence[str]) -> Iterator[str]:
    """Give every value of `-s` and `--stack`, in any of their forms."""
    before = ""
    for word in words:
        if word == "--":
            return
        if before in {"-s", "--stack"}:
            yield word
        elif word.startswith("--stack="):
            yield word.removeprefix("--stack=")
        elif word.startswith("-s") and not word.startswith("--") and len(word) > len("-s"):
            yield word.removeprefix("-s").removeprefix("=")
        before = word


def _operand_stack(words: Sequence[str]) -> str | None:
    operands = _operands(words)
    for size in (1, 2):
        if tuple(operands[:size]) in _NAMING and len(operands) > size:
            return operands[size]
    return None


def _operands(words: Sequence[str]) -> list[str]:
    """Give the words that are neither flags nor values of the flags that we know."""
    found: list[str] = []
    before = ""
    for word in words:
        if word == "--":
            break
        if not word.startswith("-") and before not in _VALUED:
            found.append(word)
        before = word
    return found
