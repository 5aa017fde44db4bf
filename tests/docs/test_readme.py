"""The README names every command and every exit code, and none that does not exist."""

import re
from itertools import product
from pathlib import Path
from types import ModuleType

import typer

from orchestration.cli.main import app

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands_of(regenerate: ModuleType) -> set[str]:
    """Give the whole name of every command."""
    return {name for name, _ in regenerate.leaves(typer.main.get_command(app), ("conductor",))}


def shown(commands: set[str]) -> set[str]:
    """Give the commands of the README's list; `a|b` stands for both."""
    listed = re.findall(r"^\.venv/bin/conductor ([a-z|]+(?: [a-z|]+)*)", README, re.MULTILINE)
    found = set()
    for line in listed:
        words = [word.split("|") for word in line.split()]
        whole = {" ".join(["conductor", *chosen]) for chosen in product(*words)}
        # What follows a command's own words is Pulumi's: `pulumi up`.
        found |= {max(_beginnings(name) & commands, key=len, default=name) for name in whole}
    return found


def _beginnings(name: str) -> set[str]:
    words = name.split()
    return {" ".join(words[:count]) for count in range(1, len(words) + 1)}


def test_readme_lists_every_command_and_no_other(regenerate: ModuleType) -> None:
    """Who adds a command shows it where people look first."""
    commands = commands_of(regenerate)
    assert shown(commands) == commands


def test_readme_names_every_exit_code(regenerate: ModuleType) -> None:
    """Scripts are written from the README."""
    sentence = README.partition("[these exit codes]")[2].partition("A run that fails")[0]
    assert {int(code) for code in re.findall(r"\b(\d+) [a-z]", sentence)} == set(
        regenerate.EXIT_CODES
    )


def test_readme_says_which_commands_have_no_json(regenerate: ModuleType) -> None:
    """Whoever writes a script can rely on `--json`."""
    without = {
        name.removeprefix("conductor ")
        for name, command in regenerate.leaves(typer.main.get_command(app), ("conductor",))
        if not any("--json" in parameter.opts for parameter in command.params)
    }
    said = README.partition("Every command but ")[2].partition(" takes `--json`")[0]
    assert set(re.findall(r"`([^`]+)`", said)) == without
