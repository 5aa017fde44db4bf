"""`conductor` commands as texts hold them: found in shell, and held against the command line."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

import typer

from orchestration.cli.main import app

FENCE = re.compile(r"^```sh(?: rehearsed)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def conductor_calls(shell: str) -> Iterator[list[str]]:
    """Give the words after `conductor` of each call; redirections and pipes end one."""
    for line in shell.replace("\\\n", " ").splitlines():
        if words := re.match(r"(?:\.venv/bin/)?conductor ([^|>;&#]+)", line.strip()):
            yield shlex.split(words.group(1))


def unknown_words(call: list[str]) -> list[str]:
    """Name what of a call the command line does not have: the command, or options of it."""
    command: Any = typer.main.get_command(app)
    left = list(call)
    while getattr(command, "commands", None):
        word = left.pop(0)
        if word not in command.commands:
            return [word]
        command = command.commands[word]
    known = {spelling for p in command.params for spelling in (*p.opts, *p.secondary_opts)}
    if command.name == "pulumi":
        return []
    return [word for word in left if word.startswith("-") and word.partition("=")[0] not in known]
