"""Where things are on this machine: the project's folder and the state beside it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from orchestration.errors import UsageError

PROJECT_DIR_VARIABLE = "CONDUCTOR_PROJECT_DIR"


@dataclass(frozen=True, slots=True)
class Settings:
    """The folder that holds `Pulumi.yaml`; every environment lives under it."""

    project_dir: Path

    @classmethod
    def from_environment(cls) -> Settings:
        """Take the folder from `CONDUCTOR_PROJECT_DIR`, else the one this program lies in.

        Raises:
            UsageError: the folder holds no `Pulumi.yaml`.
        """
        named = os.environ.get(PROJECT_DIR_VARIABLE)
        folder = Path(named) if named else Path(__file__).parent.parent
        if not (folder / "Pulumi.yaml").is_file():
            raise UsageError(
                f"{folder} holds no Pulumi.yaml",
                hint=f"set {PROJECT_DIR_VARIABLE} to the project's folder, or unset it",
            )
        return cls(folder.resolve())

    @property
    def environments_dir(self) -> Path:
        """The folder of all environments: one folder each."""
        return self.project_dir / ".conductor"

    @property
    def stack_config_dir(self) -> Path:
        """`stackConfigDir` of `Pulumi.yaml`."""
        return self.project_dir / "environments"
