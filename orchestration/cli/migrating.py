"""`conductor check --migrate`: a file of an older form, written in the newest one."""

from __future__ import annotations

import sys
from pathlib import Path

from architecture.findings import InvalidArchitecture
from architecture.generations import deployment_file
from architecture.loading import Loaded, load
from architecture.rendering import to_yaml
from orchestration.cli.console import errors
from orchestration.errors import ArchitectureInvalid, UsageError
from orchestration.wording import counted


def migrate(architecture: Path, out: Path | None) -> None:
    """Write the newest form; only what is in an older form changes, where that is possible.

    Raises:
        ArchitectureInvalid: the file has errors, with every finding.
        UsageError: the file to write is there already, or cannot be written.
    """
    try:
        loaded = load(architecture)
    except InvalidArchitecture as error:
        raise ArchitectureInvalid(
            f"{architecture} has errors and cannot be migrated",
            findings=tuple(map(str, error.findings)),
        ) from error
    content = _newest(loaded)
    if out is None:
        sys.stdout.write(content.decode("utf-8"))
        return
    try:
        with out.open("xb") as file:
            file.write(content)
    except FileExistsError as error:
        raise UsageError(
            f"{out} is there already", hint="name a new file, compare the two, then replace"
        ) from error
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}") from error
    errors().print(f"{out}: {_what(loaded)}", highlight=False, soft_wrap=True)


def _newest(loaded: Loaded) -> bytes:
    if not loaded.source.is_split:
        return loaded.source.migrated()
    beside = deployment_file(loaded.path)
    parts = [loaded.path.name]
    if beside is not None and beside.is_file():
        parts.append(beside.name)
    # Two files become one: their comments cannot come along, and are still in the old ones.
    return f"# Made of {' and '.join(parts)}.\n{to_yaml(loaded.architecture)}".encode()


def _what(loaded: Loaded) -> str:
    if loaded.source.is_split:
        return "written in the newest form"
    return f"{counted(len(loaded.source.older), 'value')} written in the newest form"
