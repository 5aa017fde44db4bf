"""Releases: what each finished run put live, kept so that it can be put live again.

A release is a folder beside the environment's state: what the stacks read (the hydrated
architecture, the build contexts) and a record of what came of it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from architecture.findings import InvalidArchitecture
from architecture.loading import load
from architecture.model import Architecture
from orchestration.environments import Environment, write_atomically
from orchestration.errors import UsageError

RECORD_FILE = "release.json"
CURRENT_FILE = "current"
# Older ones are let go: their images may be gone from the registry by then.
KEPT_RELEASES = 20


class Release(BaseModel):
    """What a finished run put live; its id is the run's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    release_id: str
    made_at: AwareDatetime
    architecture_sha256: str
    program_sha256: str
    images: Mapping[str, str]
    # Every stack with the number of resources that it held.
    stacks: Mapping[str, int]
    # The release that was live before it; nothing for the first.
    follows: str = ""


class ReleaseStore:
    """The releases of one environment, and which of them is live."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._folder = environment.releases_dir

    def keep(self, release: Release) -> None:
        """Store a release with what its stacks were made of; it is the live one from now on.

        Storing one again changes nothing: a run may be taken up again just here.
        """
        folder = self._folder / release.release_id
        if not (folder / RECORD_FILE).exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            for source in self._sources():
                if source.is_dir():
                    shutil.copytree(source, folder / source.name, symlinks=True)
                elif source.exists():
                    shutil.copy2(source, folder / source.name)
            # Last: a folder with a record is whole.
            write_atomically(folder / RECORD_FILE, release.model_dump_json(indent=2) + "\n")
        self.make_current(release.release_id)
        for old in list(self._records())[KEPT_RELEASES:]:
            shutil.rmtree(self._folder / old.release_id, ignore_errors=True)

    def make_current(self, release_id: str) -> None:
        """Note which release is live."""
        write_atomically(self._folder / CURRENT_FILE, release_id + "\n")

    def current(self) -> Release | None:
        """Give the live release; None before the first."""
        with suppress(FileNotFoundError):
            return self._read((self._folder / CURRENT_FILE).read_text(encoding="utf-8").strip())
        return None

    def current_architecture(self) -> Architecture | None:
        """Give the hydrated architecture of the live release; None before the first."""
        release = self.current()
        return self.architecture_of(release) if release is not None else None

    def architecture_of(self, release: Release) -> Architecture | None:
        """Give the hydrated architecture of a release; None if none can be read."""
        folder = self._folder / release.release_id
        return _readable(folder / self._environment.architecture_file.name)

    def planned_architecture(self) -> Architecture | None:
        """Give the hydrated architecture that the stacks read now; None if none can be read."""
        return _readable(self._environment.architecture_file)

    def find(self, release_id: str) -> Release:
        """Give a release by its id.

        Raises:
            UsageError: there is no such release; the message names those there are.
        """
        found = self._read(release_id)
        if found is None:
            known = ", ".join(release.release_id for release in self._records()) or "none"
            raise UsageError(f"there is no release {release_id!r} (there are: {known})")
        return found

    def is_in_place(self, release: Release) -> bool:
        """Say whether the stacks would read the architecture of this release now."""
        file = self._environment.architecture_file
        try:
            return file.read_bytes() == (self._folder / release.release_id / file.name).read_bytes()
        except FileNotFoundError:
            return False

    def before(self, release: Release) -> Release | None:
        """Give the release that was live before this one; None if it was the first.

        After a rollback that is not the one made before it.
        """
        if release.follows and (found := self._read(release.follows)) is not None:
            return found
        earlier = (old for old in self._records() if old.release_id < release.release_id)
        return next(earlier, None)

    def restore(self, release: Release) -> None:
        """Put back what the release's stacks were made of, for the next operation on them."""
        folder = self._folder / release.release_id
        for target in self._sources():
            kept = folder / target.name
            shutil.rmtree(target, ignore_errors=True)
            if kept.is_dir():
                shutil.copytree(kept, target, symlinks=True)
            elif kept.exists():
                write_atomically(target, kept.read_text(encoding="utf-8"))

    def _sources(self) -> tuple[Path, ...]:
        return (
            self._environment.architecture_file,
            self._environment.contexts_dir,
            self._environment.generated_dir,
        )

    def _records(self) -> Iterator[Release]:
        """Read every whole release, the newest first: ids begin with their time."""
        for folder in sorted(self._folder.glob("*/"), reverse=True):
            release = self._read(folder.name)
            if release is not None:
                yield release

    def _read(self, release_id: str) -> Release | None:
        with suppress(OSError, ValidationError):
            return Release.model_validate_json(
                (self._folder / release_id / RECORD_FILE).read_bytes()
            )
        return None


def _readable(path: Path) -> Architecture | None:
    """Load a file, unless it is missing, or written by other rules."""
    try:
        return load(path).architecture
    except InvalidArchitecture:
        return None
