"""Snapshots on disk: one folder each beside the environment's state, whole once it has a record."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict

from orchestration.environments import Environment, write_atomically
from orchestration.releases.store import ReleaseStore

RECORD_FILE = "snapshot.json"
BYTES_PER_GB = 1_000_000_000
# Exports hold secrets, encrypted; they are nobody else's business all the same.
OWN_FILE = 0o600


class SnapshotRecord(BaseModel):
    """What a snapshot holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    snapshot_id: str
    plan_id: str
    made_at: AwareDatetime
    release_id: str
    stacks: tuple[str, ...]
    size_gb: float


class SnapshotStore:
    """The snapshots of one environment."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._folder = environment.folder / "snapshots"

    def keep(
        self, snapshot_id: str, plan_id: str, exports: Mapping[str, Mapping[str, Any]]
    ) -> SnapshotRecord:
        """Keep exports of stacks, the live release's record and what is recorded above it.

        Keeping one again gives what was kept at first.
        """
        folder = self._folder / snapshot_id
        if (folder / RECORD_FILE).exists():
            return SnapshotRecord.model_validate_json((folder / RECORD_FILE).read_bytes())
        shutil.rmtree(folder, ignore_errors=True)
        release = ReleaseStore(self._environment).current()
        for stack, export in exports.items():
            text = json.dumps({"version": 3, "deployment": export}, indent=2)
            write_atomically(folder / f"{stack}.json", text + "\n", mode=OWN_FILE)
        if release is not None:
            write_atomically(folder / "release.json", release.model_dump_json(indent=2) + "\n")
        if self._environment.overrides_file.exists():
            shutil.copy2(self._environment.overrides_file, folder)
        record = SnapshotRecord(
            snapshot_id=snapshot_id,
            plan_id=plan_id,
            made_at=datetime.now(UTC),
            release_id=release.release_id if release is not None else "",
            stacks=tuple(exports),
            size_gb=_size(list(folder.iterdir())) / BYTES_PER_GB,
        )
        # Last: a folder with a record is whole.
        write_atomically(folder / RECORD_FILE, record.model_dump_json(indent=2) + "\n")
        return record

    def drop(self, snapshot_id: str) -> None:
        """Delete a snapshot, if it is there."""
        shutil.rmtree(self._folder / snapshot_id, ignore_errors=True)


def _size(files: Sequence[Path]) -> int:
    return sum(file.stat().st_size for file in files)
