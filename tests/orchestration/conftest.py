"""A tiny Pulumi project of a test's own, on an engine with fake things, and empty databases."""

from __future__ import annotations

import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from private_postgres import PrivatePostgres, running_postgres

from orchestration.automation.results import StackEvent

if TYPE_CHECKING:
    from orchestration.automation.stacks import StackOperations

# Test folders are no packages: the engine's bench is found by its folder.
sys.path.insert(0, str(Path(__file__).parents[1] / "rehearsal" / "engine"))


class TinyProject:
    """A project `demo` whose program a test writes; `world` holds what its stacks have made."""

    def __init__(self, root: Path, launcher: Any) -> None:
        from fake_provider import World  # noqa: PLC0415 - only tests that use a stack pay for it

        self.root = root
        self.world = World()
        self.tokens_asked = 0
        self._launcher = launcher
        for folder in ("state", "stacks", "environments"):
            (root / folder).mkdir()
        (root / "Pulumi.yaml").write_text(
            "name: demo\nruntime: python\nmain: stacks\nstackConfigDir: environments\n"
        )
        self.passphrase_file.write_text("x")

    @property
    def passphrase_file(self) -> Path:
        """The passphrase of the stacks' secrets."""
        return self.root / "passphrase"

    def program(self, text: str) -> None:
        """Write the program; `Thing`, `Group`, `Options` and `config` are there already."""
        from engine_bench import PRELUDE  # noqa: PLC0415 - as above

        (self.root / "stacks" / "__main__.py").write_text(PRELUDE + textwrap.dedent(text))

    def operations(self, *, state: Path | None = None) -> StackOperations:
        """Make operations on the project's stacks."""
        from orchestration.automation.stack_records import StackHome  # noqa: PLC0415
        from orchestration.automation.stacks import StackOperations  # noqa: PLC0415 - as above
        from rehearsal.engine.command import EmbeddedPulumi  # noqa: PLC0415 - as above

        home = StackHome(
            project_dir=self.root,
            backend_url=f"file://{state or self.root / 'state'}",
            passphrase_file=self.passphrase_file,
            pulumi_home=self.root / "home",
        )
        engine = EmbeddedPulumi({"fake": self.world.provider}, launcher=self._launcher)
        return StackOperations(home, engine, self._credentials)

    def _credentials(self) -> Mapping[str, str]:
        self.tokens_asked += 1
        return {"GOOGLE_OAUTH_ACCESS_TOKEN": f"token-{self.tokens_asked}"}

    @contextmanager
    def gate(self) -> Iterator[Path]:
        """Name a file for things to `wait` for; it appears at the end, whatever happens."""
        gate = self.root / "gate"
        try:
            yield gate
        finally:
            gate.touch()


@pytest.fixture(scope="session")
def launcher() -> Iterator[Any]:
    """What starts the programs of this session's tests, ended with it."""
    from engine_bench import shared_launcher  # noqa: PLC0415 - only tests that use a stack pay

    launcher = shared_launcher()
    yield launcher
    launcher.close()


@pytest.fixture
def tiny_project(tmp_path: Path, launcher: Any) -> TinyProject:
    """A project without a program yet."""
    root = tmp_path / "project"
    root.mkdir()
    return TinyProject(root, launcher)


@pytest.fixture
def wait_until() -> Callable[[Callable[[], object]], None]:
    """Wait for a condition."""

    def wait(is_so: Callable[[], object]) -> None:
        deadline = time.monotonic() + 20
        while not is_so():
            assert time.monotonic() < deadline, "timed out"
            time.sleep(0.01)

    return wait


class Events:
    """Keeps the events of stacks; safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.seen: list[StackEvent] = []

    def __call__(self, event: StackEvent) -> None:
        """Keep one."""
        with self._lock:
            self.seen.append(event)

    def steps(self, kind: str) -> list[tuple[str, str]]:
        """Name operation and resource of every event of a kind."""
        return [(item.operation, item.name) for item in self.seen if item.kind == kind]


@pytest.fixture
def events() -> Events:
    """An observer of stacks that remembers."""
    return Events()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PrivatePostgres]:
    """A PostgreSQL of this session's own; skips where none is installed."""
    with running_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def coordination_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an empty database of the coordination engine may be made, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'coordination.db'}"
    server: PrivatePostgres = request.getfixturevalue("postgres")
    return server.make_database()
