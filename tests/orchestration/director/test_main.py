"""How the director is wired: on one machine, and behind a bucket and a key of Google's."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.automation.plugins import absent_plugins, required_plugins
from orchestration.director import main
from orchestration.director.bucket_ledger import BucketLedger
from orchestration.director.ledger import FolderLedger
from orchestration.environments import Environment
from orchestration.errors import UsageError
from orchestration.settings import Settings


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """An environment whose folder is not there: a director makes none."""
    return Environment("prod", Settings(tmp_path / "workspace"))


def test_on_google_the_engine_writes_beside_its_image(
    environment: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A home of its own, in which the image's plugins are found; no passphrase, no folder."""
    image = tmp_path / "image"
    for plugin in required_plugins():
        (image / "plugins" / plugin.folder_name).mkdir(parents=True)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    environ = {
        "PULUMI_HOME": str(image),
        "PULUMI_BACKEND_URL": "gs://shop-state",
        "CONDUCTOR_SECRETS_PROVIDER": "gcpkms://k",
    }
    home = main._home(environ, environment, is_real=True)
    assert home.pulumi_home is not None
    assert home.pulumi_home != image
    assert absent_plugins({"PULUMI_HOME": str(home.pulumi_home)}) == ()
    (home.pulumi_home / "workspaces").mkdir()
    assert sorted(item.name for item in image.iterdir()) == ["plugins"]
    assert home.environ() == {
        "PULUMI_BACKEND_URL": "gs://shop-state",
        "PULUMI_HOME": str(home.pulumi_home),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    assert home.secrets_provider == "gcpkms://k"
    assert not environment.folder.exists()


def test_on_one_machine_the_folders_are_shared(environment: Environment, tmp_path: Path) -> None:
    """State, passphrase and the embedded engine's own home, as the conductor has them."""
    environ = {
        "PULUMI_BACKEND_URL": f"file://{tmp_path}",
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(tmp_path / "passphrase"),
    }
    home = main._home(environ, environment, is_real=False)
    assert home.passphrase_file == tmp_path / "passphrase"
    assert home.pulumi_home == environment.pulumi_home
    with pytest.raises(UsageError, match="PULUMI_CONFIG_PASSPHRASE_FILE"):
        main._home({"PULUMI_BACKEND_URL": "file:///x"}, environment, is_real=False)


def test_the_ledger_is_where_its_address_says(tmp_path: Path) -> None:
    """A bucket of Google's, or a folder."""
    assert isinstance(main._ledger("gs://shop-state/x"), BucketLedger)
    assert isinstance(main._ledger(str(tmp_path)), FolderLedger)
