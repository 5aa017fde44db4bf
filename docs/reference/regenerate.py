"""Writes the files of this folder that say what the code says: commands, errors, exit codes.

Run `make docs`, or `.venv/bin/python docs/reference/regenerate.py`, after a command, an option, an
error or the run report has changed; `tests/docs` fails until then. `settings.md` is written by hand
and compared with the code by a test; the architecture file's are `architecture.reference`'s.
"""  # noqa: INP001 - a script among documents, no package

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import typer

from orchestration.errors import ConductorError

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
PACKAGES = ("architecture", "components", "stacks", "orchestration", "rehearsal")
GENERATED = "<!-- Written by docs/reference/regenerate.py; change the code, then `make docs`. -->"

COMMANDS_INTRODUCTION = (
    "Every command has `--help`. Errors are [one line with a stable code](errors.md); the exit "
    "codes have [a page of their own](exit-codes.md), environment variables "
    "[another](settings.md). Arguments and options without a default that are not marked as "
    "required may be left out."
)
ERRORS_INTRODUCTION = (
    "Codes are stable: scripts may rely on them. On the command line an error is one line, "
    "`error[CODE]: MESSAGE`, and mostly a hint; with `--json` it is an object with `code`, "
    "`message`, `details`, `findings`, `hint` and `exit_code`. The hint below is what is said "
    "where the place that raises the error has nothing better to say. *Retryable* means that "
    "the same call may succeed later without any change."
)

# What each exit code tells a script. The codes that errors have are checked against the code.
EXIT_CODES: Mapping[int, str] = {
    0: "Done, with nothing wrong.",
    1: "Failed; nothing was undone.",
    2: "The call or the architecture file is wrong; nothing was started.",
    3: "Blocked: something must happen first. `doctor`: a rehearsal lacks something.",
    4: "A run failed, and what it had changed was undone.",
    5: "A run failed, and undoing it failed too; the message names what is left.",
    10: "`preview --detailed-exitcode`: done, and there are changes. `drift`: there is some.",
    130: "Ended by Ctrl-C or SIGTERM; what is up stays up.",
}


def main() -> int:
    """Write every page; print those that changed."""
    for name, text in pages().items():
        path = FOLDER / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"{path.relative_to(ROOT)}\n")
    return 0


def pages() -> dict[str, str]:
    """Give every generated page by its file's name."""
    from orchestration.api import reference  # noqa: PLC0415 - see `commands_page`

    return {
        **reference.pages(GENERATED),
        "commands.md": commands_page(),
        "errors.md": errors_page(),
        "exit-codes.md": exit_codes_page(),
        "preview.schema.json": preview_schema(),
        "run-report.schema.json": run_report_schema(),
    }


def commands_page() -> str:
    """Describe every command of the command line, sub-commands included."""
    from orchestration.cli.main import app  # noqa: PLC0415 - the other pages do without it

    commands = sorted(leaves(typer.main.get_command(app), ("conductor",)))
    blocks = [
        "# Commands",
        GENERATED,
        COMMANDS_INTRODUCTION,
        "\n".join(
            ["| command | what it does |", "|---|---|"]
            + [
                f"| [`{name}`](#{name.replace(' ', '-')}) | {cell(first_line(command.help))} |"
                for name, command in commands
            ]
        ),
    ]
    for name, command in commands:
        blocks += [f"## {name}", *section(name, command)]
    return "\n\n".join(blocks) + "\n"


def leaves(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Go through a group of commands and the groups in it."""
    below = getattr(command, "commands", None)
    if below is None:
        yield " ".join(words), command
        return
    for name, child in below.items():
        if not child.hidden:
            yield from leaves(child, (*words, name))


def section(name: str, command: Any) -> Iterator[str]:
    """Describe one command: how it is called, what it does, its arguments and options."""
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option" and not one.hidden]
    required = [f"{one.opts[0]} {value_of(one)}" for one in options if one.required]
    places = [value_of(one) if one.required else f"[{value_of(one)}]" for one in arguments]
    yield "```sh\n" + " ".join([name, *places, *required, "[OPTIONS]"]) + "\n```"
    yield inspect.cleandoc(command.help)
    if arguments:
        yield table("argument", [(f"`{cell(value_of(one))}`", one) for one in arguments])
    if options:
        yield table(
            "option", [(spelling(one), one) for one in sorted(options, key=lambda one: one.opts[0])]
        )


def table(what: str, rows: list[tuple[str, Any]]) -> str:
    """Lay arguments or options out, one a row."""
    return "\n".join(
        [f"| {what} | meaning | default |", "|---|---|---|"]
        + [
            f"| {left} | {cell(parameter.help or '')} | {default(parameter)} |"
            for left, parameter in rows
        ]
    )


def spelling(option: Any) -> str:
    """Give an option as it is typed."""
    names = " / ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    return names if option.is_flag else f"{names} `{cell(value_of(option))}`"


def value_of(parameter: Any) -> str:
    """Name what is to be given: as the code names it, else by the parameter's own name."""
    return str(parameter.metavar or parameter.name.upper())


def default(parameter: Any) -> str:
    """Say what a parameter is when it is left out, and which variable gives it."""
    if parameter.required:
        return "required"
    variable = f"`${parameter.envvar}`" if parameter.envvar else ""
    if parameter.default is None or parameter.default in {"", False}:
        return variable
    if parameter.default is True:
        return f"`{parameter.opts[0]}`"
    return ", else ".join(filter(None, [variable, f"`{parameter.default}`"]))


def errors_page() -> str:
    """Describe every error that the product raises on purpose."""
    rows = [
        f"| `{kind.code}` | {kind.exit_code} | {'yes' if kind.retryable else ''} "
        f"| {cell(meaning(kind))} | {cell(kind.default_hint)} |"
        for kind in error_classes()
    ]
    blocks = [
        "# Error codes",
        GENERATED,
        ERRORS_INTRODUCTION,
        "\n".join(
            ["| code | exit code | retryable | meaning | hint |", "|---|---|---|---|---|", *rows]
        ),
    ]
    return "\n\n".join(blocks) + "\n"


def exit_codes_page() -> str:
    """Describe every exit code, with the errors that lead to it."""
    kinds = error_classes()
    rows = []
    for number, says in EXIT_CODES.items():
        codes = ", ".join(f"`{kind.code}`" for kind in kinds if kind.exit_code == number)
        rows.append(f"| {number} | {cell(says)} | {codes} |")
    blocks = [
        "# Exit codes",
        GENERATED,
        "\n".join(["| exit code | meaning | [error codes](errors.md) |", "|---|---|---|", *rows]),
        "`conductor pulumi` exits as the engine does:",
        "\n".join(
            ["| exit code | meaning |", "|---|---|"]
            + [f"| {number} | {says} |" for number, says in engine_exit_codes()]
        ),
        "Before the engine starts, and for `conductor pulumi env`, the first table applies.",
    ]
    return "\n\n".join(blocks) + "\n"


def run_report_schema() -> str:
    """Give the schema of what `conductor report` writes for programs."""
    from orchestration.conductor.reports import RunReport  # noqa: PLC0415 - see `commands_page`

    return json.dumps(RunReport.model_json_schema(), indent=2) + "\n"


def preview_schema() -> str:
    """Describe what `conductor preview --format json` prints and `--out` writes."""
    from orchestration.review.model import Review  # noqa: PLC0415 - see `commands_page`

    return json.dumps(Review.model_json_schema(), indent=2) + "\n"


def engine_exit_codes() -> Iterator[tuple[str, str]]:
    """Take the engine's exit codes from the help of `conductor pulumi`."""
    from orchestration.cli.commands.engine import pulumi_command  # noqa: PLC0415 - see `commands_page`

    last = (inspect.getdoc(pulumi_command) or "").rpartition("exit codes:")[2]
    for part in last.replace("\n", " ").strip(" .").split(","):
        number, says = part.strip().split(" ", 1)
        yield number, says[0].upper() + says[1:] + "."


@functools.cache
def error_classes() -> list[type[ConductorError]]:
    """Find every error class of the packages, sorted by code."""
    kinds = {
        kind
        for module in modules_with_errors()
        for kind in vars(importlib.import_module(module)).values()
        if inspect.isclass(kind) and issubclass(kind, ConductorError)
    }
    return sorted(kinds, key=lambda kind: (kind.code, kind.__name__))


def modules_with_errors() -> list[str]:
    """Find the modules that define errors by reading them: importing all would take a minute."""
    bases: dict[str, set[str]] = {}
    defined: list[tuple[str, str]] = []
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef):
                    bases.setdefault(node.name, set()).update(map(last_name, node.bases))
                    defined.append((module, node.name))
    found = {ConductorError.__name__}
    while more := {name for name, above in bases.items() if above & found} - found:
        found |= more
    return sorted({module for module, name in defined if name in found})


def last_name(node: ast.expr) -> str:
    """Give `C` of the bases `C` and `module.C`."""
    return ast.unparse(node).rpartition(".")[2]


def meaning(kind: type) -> str:
    """Give the first paragraph of a class's docstring."""
    return first_line(inspect.getdoc(kind) or "")


def first_line(text: str) -> str:
    """Give a text's first paragraph on one line."""
    return " ".join(text.strip().split("\n\n")[0].split())


def cell(text: str) -> str:
    """Make a text safe for a table."""
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
