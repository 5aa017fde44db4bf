"""Where everything of an environment lies on disk."""

from __future__ import annotations

from pathlib import Path


class EnvironmentFolders:
    """The folders and files of one environment, below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def record_file(self) -> Path:
        """What the environment was made for."""
        return self.folder / "environment.json"

    @property
    def architecture_file(self) -> Path:
        """The hydrated architecture that the stacks read."""
        return self.folder / "architecture.yaml"

    @property
    def overrides_file(self) -> Path:
        """What is recorded above the architecture."""
        return self.folder / "overrides.json"

    @property
    def generated_dir(self) -> Path:
        """`SERVICE/resources.yaml` of every service."""
        return self.folder / "generated"

    @property
    def contexts_dir(self) -> Path:
        """One build context per service."""
        return self.folder / "contexts"

    @property
    def placeholders_dir(self) -> Path:
        """The sources of what stands in for services."""
        return self.folder / "placeholders"

    @property
    def runs_dir(self) -> Path:
        """One folder per run."""
        return self.folder / "runs"

    @property
    def database_file(self) -> Path:
        """The journals and workflows of its runs, unless they are in a PostgreSQL."""
        return self.folder / "runs.sqlite"

    @property
    def releases_dir(self) -> Path:
        """One folder per release, and which one is live."""
        return self.folder / "releases"

    @property
    def previews_dir(self) -> Path:
        """What was previewed, by fingerprint, for the run that is approved."""
        return self.folder / "previews"

    @property
    def plans_dir(self) -> Path:
        """The engine's plans of an approved run, while it goes forward."""
        return self.folder / "plans"

    @property
    def state_dir(self) -> Path:
        """The `file://` backend of the environment's stacks."""
        return self.folder / "state"

    @property
    def pulumi_home(self) -> Path:
        """Pulumi's own folder: the selected stack, not the user's."""
        return self.folder / "pulumi-home"

    @property
    def ledger_dir(self) -> Path:
        """The commands that the director has finished."""
        return self.folder / "director"

    @property
    def propagation_file(self) -> Path:
        """How long grants of each role took to work in earlier runs."""
        return self.folder / "propagation.json"

    @property
    def cloud_dir(self) -> Path:
        """The local cloud's data."""
        return self.folder / "cloud"

    @property
    def passphrase_file(self) -> Path:
        """The passphrase of the stacks' secrets."""
        return self.folder / "passphrase"
