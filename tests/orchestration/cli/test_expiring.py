"""When environments expire, and what a sweep tells of those that it finds."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestration.cli.expiring import expiry
from orchestration.cli.main import app
from orchestration.environments import Environment, TargetName
from orchestration.errors import UsageError
from orchestration.settings import Settings

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
ROOT = Path(__file__).parents[3]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A project of its own."""
    shutil.copy(ROOT / "Pulumi.yaml", tmp_path)
    monkeypatch.setenv("CONDUCTOR_PROJECT_DIR", str(tmp_path))
    return Settings(tmp_path)


def made(settings: Settings, name: str, expires_at: datetime | None) -> Environment:
    """Make an environment that expires then."""
    environment = Environment(name, settings)
    environment.make(target=TargetName.LOCAL, architecture_name="shop", project_id="p1")
    if expires_at is not None:
        environment.expire_at(expires_at)
    return environment


@pytest.mark.parametrize(
    ("ttl", "lifetime"),
    [("3d", timedelta(days=3)), ("1d12h", timedelta(hours=36)), ("90s", timedelta(seconds=90))],
)
def test_a_time_to_live_is_from_now_on(ttl: str, lifetime: timedelta) -> None:
    """Durations as the architecture file has them."""
    assert expiry(ttl, NOW) == NOW + lifetime


@pytest.mark.parametrize("ttl", ["", "0s", "3 days", "-1d", "3", "999999999999d"])
def test_what_is_no_time_to_live_is_refused(ttl: str) -> None:
    """Also one that would never end."""
    with pytest.raises(UsageError, match="is no time to live"):
        expiry(ttl, NOW)


def test_an_expiry_is_kept_until_it_is_said_anew(settings: Settings) -> None:
    """An `up` that says nothing of it leaves it as it is."""
    environment = made(settings, "pr-1", NOW)
    environment.make(target=TargetName.LOCAL, architecture_name="shop", project_id="p1")
    record = environment.require_record()
    assert record.expires_at == NOW
    assert record.has_expired(NOW)
    assert not record.has_expired(NOW - timedelta(seconds=1))
    environment.expire_at(NOW + timedelta(days=1))
    assert not environment.require_record().has_expired(NOW)


def test_a_sweep_goes_on_after_one_that_it_cannot_read(settings: Settings) -> None:
    """The others are told even so; those whose time has not come are not named."""
    made(settings, "broken", NOW).record_file.write_text("{}")
    made(settings, "forever", None)
    made(settings, "later", datetime.now(UTC) + timedelta(days=1))
    made(settings, "over", NOW)
    done = CliRunner().invoke(app, ["sweep", "--dry-run", "--json"])
    assert done.exit_code == 1, done.output
    outcomes = {
        said["environment"]: said["outcome"] for said in map(json.loads, done.stdout.splitlines())
    }
    assert outcomes == {"broken": "failed", "over": "would be destroyed"}
    assert CliRunner().invoke(app, ["sweep", "--dry-run", "--env", "over"]).exit_code == 0


def test_a_sweep_of_nothing_says_so(settings: Settings) -> None:
    """And an environment that is named must be there."""
    done = CliRunner().invoke(app, ["sweep"])
    assert (done.exit_code, done.stdout) == (0, "no environment has expired\n")
    assert CliRunner().invoke(app, ["sweep", "--env", "pr-9"]).exit_code == 2
