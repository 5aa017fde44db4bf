"""`resources.yaml` per service: which resources it is linked to, and nothing else.

What belongs into each file is decided in `architecture.service_resources`; this module writes it
beside the environment, never into the user's source tree.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from architecture.model import Architecture
from architecture.rendering import dump
from architecture.service_resources import ServiceResources
from orchestration.environments import write_atomically
from orchestration.errors import UsageError

FILE_NAME = "resources.yaml"


class ConfigGenerator:
    """Writes `FOLDER/SERVICE/resources.yaml` for every service of an architecture."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def generate(
        self, architecture: Architecture, *, keep_others: bool = False
    ) -> Mapping[str, Path]:
        """Write all files and give their paths by service.

        Folders of services that are gone are deleted, unless others may be in the folder too.

        Raises:
            UsageError: the folder cannot be written to.
        """
        resources = ServiceResources(architecture)
        try:
            files = {
                service.name: self._write(service.name, resources)
                for service in architecture.all_services()
            }
        except OSError as error:
            raise UsageError(
                f"{self._folder} cannot be written to: {error.strerror}",
                hint="name another folder with --out",
            ) from error
        for leftover in () if keep_others else self._folder.iterdir():
            if leftover.name not in files:
                shutil.rmtree(leftover)
        return files

    def _write(self, service: str, resources: ServiceResources) -> Path:
        path = self._folder / service / FILE_NAME
        write_atomically(path, dump(resources.content(service)))
        return path
