"""Each service's own pre-flight tests, run before any cloud is touched.

A service brings `preflight_test.py` (run with pytest) or an executable `preflight`. It is run in
the service's folder with the generated `resources.yaml` and the names it must find there. One that
brings neither is reported as a warning.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from orchestration.errors import PreflightFailed

PYTEST_FILE = "preflight_test.py"
EXECUTABLE = "preflight"
RESOURCES_VARIABLE = "RESOURCES_FILE"
# A pre-flight test looks at names in one file; longer than this, it hangs.
TIMEOUT_S = 60.0
SHOWN_LINES = 12
# Plugins that are installed here for our own tests; loading them would take longer than the test.
UNUSED_PLUGINS = (
    "cacheprovider",
    "xdist",
    "xdist.looponfail",
    "hypothesispytest",
    "timeout",
    "anyio",
)


@dataclass(frozen=True, slots=True)
class PreflightCase:
    """One service's tests: where they lie and what they must find."""

    service: str
    folder: Path
    resources_file: Path
    expectations: Mapping[str, str]


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
        with ThreadPoolExecutor(max_workers=min(len(cases), 2 * (os.cpu_count() or 1))) as pool:
            outcomes = list(pool.map(_run, cases))
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
    command = _command(case.folder)
    if command is None:
        return _Outcome(case.service, None, tested=False)
    # What the outer test run exports would change how the inner one behaves.
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    environ = {
        **inherited,
        "PYTHONDONTWRITEBYTECODE": "1",
        RESOURCES_VARIABLE: str(case.resources_file),
        **case.expectations,
    }
    try:
        done = subprocess.run(
            command,
            cwd=case.folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return _Outcome(case.service, f"no end after {TIMEOUT_S:.0f} s")
    except OSError as error:
        return _Outcome(case.service, f"{command[0]} cannot be run: {error.strerror}")
    if done.returncode == 0:
        return _Outcome(case.service, None)
    return _Outcome(case.service, "\n".join(done.stdout.strip().splitlines()[-SHOWN_LINES:]))


def _command(folder: Path) -> list[str] | None:
    if (folder / PYTEST_FILE).is_file():
        # Its own configuration only: ours, or one further up, must not change what it does.
        return [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            *(f"-pno:{plugin}" for plugin in UNUSED_PLUGINS),
            "--rootdir=.",
            "--confcutdir=.",
            "-c",
            os.devnull,
            PYTEST_FILE,
        ]
    executable = folder / EXECUTABLE
    if executable.is_file() and os.access(executable, os.X_OK):
        return [f"./{EXECUTABLE}"]
    return None
