"""The parts that hold an environment, look at its services, and keep how its stacks were."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
from plan_shop import RULES, recommended, shop

from architecture.rendering import to_yaml
from orchestration.conductor.records import RunInputs, RunRecorder, RunStatus
from orchestration.environments import Environment, TargetName
from orchestration.errors import EnvironmentBusy
from orchestration.execution.capabilities import Capabilities
from orchestration.execution.errors import EnvironmentUnsettled
from orchestration.execution.fakes import FakeDirectory, FakeLive
from orchestration.execution.probing import Route, measure
from orchestration.execution.seat import EnvironmentSeat
from orchestration.execution.services import ServiceDirectory
from orchestration.execution.snapshots import SnapshotStore
from orchestration.releases.store import Release, ReleaseStore
from orchestration.settings import Settings

if TYPE_CHECKING:
    from orchestration.automation.stacks import StackOperations
    from orchestration.targets.target import Target


class NoTarget:
    """A target of which nothing but its preparation is asked."""

    def prepare(self) -> None:
        """Be ready."""


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """An environment in which the shop was deployed."""
    (tmp_path / "Pulumi.yaml").write_text("name: conductor\nruntime: python\n")
    monkeypatch.setenv("CONDUCTOR_PROJECT_DIR", str(tmp_path))
    monkeypatch.delenv("CONDUCTOR_DATABASE_URL", raising=False)
    made = Environment("dev", Settings.from_environment())
    made.make(target=TargetName.LOCAL, architecture_name="shop", project_id="some-project")
    made.architecture_file.write_text(to_yaml(shop()))
    run = RunRecorder.new(
        made.runs_dir, "dev", RunInputs(architecture="a", architecture_sha256="b", options={})
    )
    run.finish(RunStatus.SUCCEEDED)
    release = Release(
        release_id=run.record.run_id,
        made_at=datetime.now(UTC),
        architecture_sha256="b",
        program_sha256="c",
        images={},
        stacks={"dev.services.orders": 3},
    )
    ReleaseStore(made).keep(release)
    return made


def seat_of(environment: Environment) -> EnvironmentSeat:
    """Make a server's seat."""
    operations = cast("StackOperations", object())
    return EnvironmentSeat(environment, cast("Target", NoTarget()), operations)


def test_plans_share_an_environment_that_nobody_else_gets(environment: Environment) -> None:
    """The lock and the lease are those of `conductor up`; the last plan lets others have them."""
    seat = seat_of(environment)
    assert seat.take() is seat.take()
    with pytest.raises(EnvironmentBusy, match="conductor serve --env dev"):
        seat_of(environment).take()
    with pytest.raises(EnvironmentBusy), environment.locked("conductor up --env dev"):
        pass
    seat.leave()
    assert environment.is_held()
    seat.leave()
    assert not environment.is_held()
    with environment.locked("conductor up --env dev"), pytest.raises(EnvironmentBusy):
        seat.take()


def test_an_environment_whose_last_run_failed_is_left_alone(environment: Environment) -> None:
    """What stands then is of no release: bringing a stack up would change more than a plan says."""
    run = RunRecorder.new(
        environment.runs_dir,
        "dev",
        RunInputs(architecture="a", architecture_sha256="b", options={}),
        "9",
    )
    run.finish(RunStatus.FAILED)
    with pytest.raises(EnvironmentUnsettled, match="had a run that failed"):
        seat_of(environment).take()
    assert not environment.is_held()


def test_what_somebody_only_looked_at_is_not_brought_up(environment: Environment) -> None:
    """A preview of another file leaves its architecture behind; the live release's counts."""
    live = environment.architecture_file.read_text()
    environment.architecture_file.write_text(live.replace("max_instances: 5", "max_instances: 77"))
    seat = seat_of(environment)
    services = seat.take().services()
    seat.leave()

    assert environment.architecture_file.read_text() == live
    assert services["billing"].max_instances == 5
    assert ServiceDirectory(environment).services().keys() == {"intake", "billing", "shelf"}


def test_a_snapshot_is_kept_whole_once_and_dropped(environment: Environment) -> None:
    """4.31: its id and size; keeping it again keeps what was there at first."""
    store = SnapshotStore(environment)
    first = store.keep("snap-1", "plan-1", {"dev.services.orders": {"resources": [1, 2]}})
    again = store.keep("snap-1", "plan-1", {"dev.services.orders": {"resources": []}})

    folder = environment.folder / "snapshots" / "snap-1"
    assert again == first
    assert first.size_gb > 0
    assert '"resources": [' in (folder / "dev.services.orders.json").read_text()
    assert (folder / "release.json").exists()
    assert (folder / "dev.services.orders.json").stat().st_mode & 0o077 == 0
    for _ in range(2):
        store.drop("snap-1")
    assert not folder.exists()


@contextmanager
def answering(codes: Mapping[str, list[int]]) -> Iterator[str]:
    """Serve routes that answer with these codes in turn, the last one for good."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            left = codes[self.path]
            code = left.pop(0) if len(left) > 1 else left[0]
            is_known = self.headers["Authorization"] == "Bearer me"
            self.send_response(code if is_known else 401)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_probes_count_what_fails_after_the_first_one() -> None:
    """A cold start is not the quality; without a health route any answer but a refusal counts."""
    with answering({"/health": [503, 200, 500, 200], "/": [404]}) as url:
        found = measure([Route(url, "/health"), Route(url, None)], lambda _url: "me", 3)
        refused = measure([Route(url, None)], lambda _url: "somebody else", 2)
        gone = measure([Route("http://127.0.0.1:1", "/")], lambda _url: "me", 2)

    assert (found.probes, found.failed) == (6, 1)
    assert found.p95_ms > 0
    assert refused.error_rate == 1.0
    assert gone.error_rate == 1.0


def test_an_environment_of_a_customer_is_closed_to_others() -> None:
    """`--customer`: what others recommend for it is opaque, and so is what is no service."""
    mine = Capabilities(
        environment="dev",
        directory=FakeDirectory(FakeLive(shop())),
        customer_id="cust-1",
        rules=RULES,
    )
    bad = recommended("scale_up", parameters={})
    others = bad.model_copy(update={"customer_id": "cust-2"})
    opaque = bad.model_copy(update={"affected_resources": ("services/gone",)})

    found = list(mine.objections([others, bad, opaque]))

    assert [place for place, _ in found] == [1]
    assert "services/intake" in mine.resources().parents
