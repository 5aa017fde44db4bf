"""Each service's own pre-flight tests, run in parallel before any cloud is touched.

A test runs in the service's folder with the generated `resources.yaml` and the names it must find
there. Which command it is, is the business of `orchestration.artifacts.preflight_commands`. A
service that brings none is reported as a warning.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestration.artifacts.preflight_commands import PreflightCommand, find_command
from orchestration.concurrency import is_stopping, stop_waiting, woken_by_stop
from orchestration.errors import PreflightFailed

RESOURCES_VARIABLE: Final = "RESOURCES_FILE"
SHOWN_LINES: Final = 12


@dataclass(frozen=True, slots=True)
class PreflightCase:
    """One service's tests: where they lie, what they must find, the command if it is declared."""

    service: str
    folder: Path
    resources_file: Path
    expectations: Mapping[str, str]
    command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PreflightReport:
    """Which services passed, and which have no tests."""

    passed: tuple[str, ...]
    without_tests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Outcome:
    service: str
    problem: str | None
    tested: bool = True


class PreflightValidator:
    """Runs the tests of all services in parallel."""

    def validate(self, cases: Sequence[PreflightCase]) -> PreflightReport:
        """Run every case, whatever the others do.

        Raises:
            PreflightFailed: one or more failed; the message names all of them.
        """
        if not cases:
            return PreflightReport((), ())
        workers = min(len(cases), 2 * (os.cpu_count() or 1))
        with ThreadPoolExecutor(workers) as pool:
            try:
                outcomes = list(pool.map(_run, cases))
            except KeyboardInterrupt:
                stop_waiting()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        failed = [outcome for outcome in outcomes if outcome.problem is not None]
        if failed:
            names = ", ".join(outcome.service for outcome in failed)
            details = "\n".join(f"--- {outcome.service}\n{outcome.problem}" for outcome in failed)
            raise PreflightFailed(
                f"pre-flight tests failed: {names}; nothing in the cloud was touched",
                details=details,
                hint="compare the names that the service expects with its resources.yaml",
            )
        return PreflightReport(
            passed=tuple(outcome.service for outcome in outcomes if outcome.tested),
            without_tests=tuple(outcome.service for outcome in outcomes if not outcome.tested),
        )


def _run(case: PreflightCase) -> _Outcome:
    with tempfile.TemporaryDirectory(prefix="preflight-") as scratch:
        command = find_command(
            case.folder,
            case.command,
            resources_file=case.resources_file,
            scratch=Path(scratch),
        )
        if command is None:
            return _Outcome(case.service, None, tested=False)
        program = command.words[0]
        if os.sep not in program and shutil.which(program) is None:
            return _Outcome(case.service, f"{program} is not installed here, or not on the PATH")
        try:
            return _Outcome(case.service, _problem(command, case))
        except OSError as error:
            return _Outcome(case.service, f"{program} cannot be run: {error.strerror}")


def _problem(command: PreflightCommand, case: PreflightCase) -> str | None:
    """Run a test to its end; None when it passed, else what to show.

    Raises:
        OSError: the command cannot be run.
    """
    # A group of its own: what a test has started ends with it.
    with subprocess.Popen(
        command.words,
        cwd=case.folder,
        env=_environ(command, case),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        process_group=0,
    ) as process:

        def end() -> None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

        with woken_by_stop(end):
            if is_stopping():
                end()
            try:
                said, _ = process.communicate(timeout=command.timeout_s)
            except subprocess.TimeoutExpired:
                end()
                return f"no end after {command.timeout_s:.0f} s"
    if process.returncode == 0:
        return None
    shown = "\n".join(said.strip().splitlines()[-SHOWN_LINES:])
    return shown or f"{command.words[0]} exited with {process.returncode}"


def _environ(command: PreflightCommand, case: PreflightCase) -> dict[str, str]:
    # What the outer test run exports would change how the inner one behaves.
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    return {
        **inherited,
        **command.variables,
        RESOURCES_VARIABLE: str(case.resources_file.resolve()),
        **case.expectations,
    }
