"""Runs a Pulumi program in this process, as the real engine's Python language host does.

It lives in a child process: either forked by the zygote or a fresh interpreter.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import runpy
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Final

import pulumi
import pulumi.log
import pulumi.runtime

_OUR_FRAMES: Final = (__file__, asyncio.__path__[0])
EXIT_FAILED: Final = 1
# The program's failure is already reported through the engine.
EXIT_REPORTED: Final = 32


@dataclass(frozen=True, slots=True)
class ProgramSpec:
    """What a program needs to know about the run it is part of."""

    address: str
    project: str
    stack: str
    organization: str
    root: str
    folder: str
    entry: str
    dry_run: bool
    parallel: int
    config: dict[str, str]
    secret_keys: list[str]

    def to_json(self) -> str:
        """Write the spec for the child process."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ProgramSpec:
        """Read the spec in the child process."""
        return cls(**json.loads(text))


def run(spec: ProgramSpec) -> int:
    """Run the program to its end and return its exit code."""
    pulumi.runtime.set_all_config(spec.config, spec.secret_keys)
    pulumi.runtime.configure(
        pulumi.runtime.Settings(
            monitor=spec.address,
            engine=spec.address,
            project=spec.project,
            stack=spec.stack,
            parallel=spec.parallel,
            dry_run=spec.dry_run,
            organization=spec.organization,
            root_directory=spec.root,
        )
    )
    sys.argv = [spec.entry]
    os.chdir(spec.folder)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    workers = ThreadPoolExecutor(max_workers=4 * max(min(spec.parallel, 64), 1))
    loop.set_default_executor(workers)
    try:
        return _run_in(loop, spec.entry)
    finally:
        workers.shutdown(wait=True)
        loop.close()
        sys.stdout.flush()
        sys.stderr.flush()


def _run_in(loop: asyncio.AbstractEventLoop, entry: str) -> int:
    # As `run_path` does with a folder, but from the source: bytecode is told from its source by
    # seconds and size only, and a program may be edited and run again within one.
    folder, file = (entry, "__main__.py") if os.path.isdir(entry) else ("", entry)  # noqa: PTH112
    if folder:
        sys.path.insert(0, folder)

    def program() -> None:
        runpy.run_path(os.path.join(folder, file), run_name="__main__")  # noqa: PTH118

    try:
        loop.run_until_complete(pulumi.runtime.run_in_stack(program))
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
        return EXIT_FAILED
    except SystemExit as leaving:
        return _exit_code(leaving)
    except Exception as error:  # noqa: BLE001 (whatever a program raises is reported, not raised)
        pulumi.log.error(_report(error))
        return EXIT_REPORTED
    return 0


def _exit_code(leaving: SystemExit) -> int:
    """Do as the interpreter does: a number is the code, anything else is said on standard error."""
    if leaving.code is None or isinstance(leaving.code, int):
        return leaving.code or 0
    sys.stderr.write(f"{leaving.code}\n")
    return EXIT_FAILED


def _report(error: Exception) -> str:
    """Format an exception without the frames that are not the user's."""
    theirs: TracebackType | None = error.__traceback__
    while theirs is not None and theirs.tb_frame.f_code.co_filename.startswith(_OUR_FRAMES):
        theirs = theirs.tb_next
    frames = theirs
    while frames is not None:
        if frames.tb_frame.f_code.co_filename == "<frozen runpy>":
            theirs = frames.tb_next
        frames = frames.tb_next
    lines = traceback.format_exception(type(error), error, theirs)
    return f"Program failed with an unhandled exception:\n{''.join(lines)}"


def main() -> int:
    """Run the program whose spec comes on standard input."""
    return run(ProgramSpec.from_json(sys.stdin.read()))
