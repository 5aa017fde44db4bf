"""The provider plugins that a real `pulumi` runs: those of the SDKs that are installed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

# The SDKs that the program imports; a plugin has its SDK's version.
PROVIDERS = ("docker", "gcp")


@dataclass(frozen=True, slots=True)
class Plugin:
    """A provider plugin in one version."""

    name: str
    version: str

    @property
    def folder_name(self) -> str:
        """What Pulumi calls its folder."""
        return f"resource-{self.name}-v{self.version}"

    @property
    def install_command(self) -> str:
        """What installs it."""
        return f"pulumi plugin install resource {self.name} {self.version}"


def required_plugins() -> tuple[Plugin, ...]:
    """Give the plugins that the program's SDKs ask for."""
    return tuple(Plugin(name, metadata.version(f"pulumi-{name}")) for name in PROVIDERS)


def plugins_folder(environ: Mapping[str, str]) -> Path:
    """Say where Pulumi keeps its plugins."""
    home = environ.get("PULUMI_HOME")
    return (Path(home) if home else Path.home() / ".pulumi") / "plugins"


def absent_plugins(environ: Mapping[str, str]) -> tuple[Plugin, ...]:
    """Give the plugins that are not there."""
    folder = plugins_folder(environ)
    return tuple(item for item in required_plugins() if not (folder / item.folder_name).is_dir())
