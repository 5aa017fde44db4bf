"""Which command is a service's pre-flight test, by what it declares or its folder holds.

1. `metadata.preflight` in the architecture file: any command.
2. An executable `preflight`.
3. Python: `preflight_test.py`, run with pytest.
4. Go: `*_test.go`, run with `go test`; an embedded `resources.yaml` is the generated one.
5. Node: the script `preflight` of `package.json`, else its `test`.

All of them run in the service's folder and find the generated file by `RESOURCES_FILE`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from orchestration.artifacts.generator import FILE_NAME

PYTEST_FILE: Final = "preflight_test.py"
EXECUTABLE: Final = "preflight"
GO_TESTS: Final = "*_test.go"
NODE_FILE: Final = "package.json"
NODE_SCRIPTS: Final = ("preflight", "test")
NO_NODE_TESTS: Final = "no test specified"
"""What `npm init` writes into the script `test`."""
KINDS: Final = "preflight_test.py, *_test.go, a package.json with tests, or an executable preflight"

# A pre-flight test looks at names in one file; longer than this, it hangs.
TIMEOUT_S: Final = 60.0
# A command of another language may have to compile first.
BUILDING_TIMEOUT_S: Final = 300.0

# Plugins that are installed here for our own tests; loading them would take longer than the test.
_UNUSED_PLUGINS: Final = (
    "cacheprovider",
    "xdist",
    "xdist.looponfail",
    "hypothesispytest",
    "timeout",
    "anyio",
)
# npm asks its registry for news after a run, and logs every run.
_NPM_VARIABLES: Final = {
    "npm_config_update_notifier": "false",
    "npm_config_fund": "false",
    "npm_config_audit": "false",
    "npm_config_logs_max": "0",
}


@dataclass(frozen=True, slots=True)
class PreflightCommand:
    """A command, what it finds in its environment beside the names, and how long it may take."""

    words: tuple[str, ...]
    timeout_s: float
    variables: Mapping[str, str] = field(default_factory=dict)


def find_command(
    folder: Path, declared: tuple[str, ...], *, resources_file: Path, scratch: Path
) -> PreflightCommand | None:
    """Return a service's pre-flight test; None when it has none.

    Args:
        folder: the service's.
        declared: the words of the command that the architecture file says, if any.
        resources_file: the generated file.
        scratch: a folder for what the command needs beside the service's own.
    """
    executable = folder / EXECUTABLE
    if declared:
        return PreflightCommand(declared, BUILDING_TIMEOUT_S)
    if executable.is_file() and os.access(executable, os.X_OK):
        return PreflightCommand((f"./{EXECUTABLE}",), BUILDING_TIMEOUT_S)
    if (folder / PYTEST_FILE).is_file():
        return _pytest()
    if any(folder.glob(GO_TESTS)):
        return _go_test(folder, resources_file, scratch)
    return _npm(folder)


def _pytest() -> PreflightCommand:
    # Its own configuration only: ours, or one further up, must not change what it does.
    words = (
        sys.executable,
        "-m",
        "pytest",
        "-q",
        *(f"-pno:{plugin}" for plugin in _UNUSED_PLUGINS),
        "--rootdir=.",
        "--confcutdir=.",
        "-c",
        os.devnull,
        PYTEST_FILE,
    )
    return PreflightCommand(words, TIMEOUT_S, {"PYTHONDONTWRITEBYTECODE": "1"})


def _go_test(folder: Path, resources_file: Path, scratch: Path) -> PreflightCommand:
    """Return `go test` with the generated file laid over the folder's, which stays as it is."""
    overlay = scratch / "overlay.json"
    replaced = {str(folder.resolve() / FILE_NAME): str(resources_file.resolve())}
    overlay.write_text(json.dumps({"Replace": replaced}), encoding="utf-8")
    # Results that Go remembers are of other names.
    words = ("go", "test", "-count=1", f"-overlay={overlay}", ".")
    return PreflightCommand(words, BUILDING_TIMEOUT_S)


def _npm(folder: Path) -> PreflightCommand | None:
    try:
        package = json.loads((folder / NODE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    scripts = package.get("scripts") if isinstance(package, dict) else None
    for script in NODE_SCRIPTS:
        line = scripts.get(script) if isinstance(scripts, dict) else None
        if isinstance(line, str) and NO_NODE_TESTS not in line:
            words = ("npm", "run", "--silent", script)
            return PreflightCommand(words, BUILDING_TIMEOUT_S, _NPM_VARIABLES)
    return None
