"""The stacks' configuration files: `environments/Pulumi.<stack>.yaml`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import yaml

from orchestration.automation.results import Json
from orchestration.environments import write_atomically

# What Pulumi keeps beside a stack's configuration: a passphrase's salt, or a cloud's key and the
# data key that it has encrypted.
ENCRYPTION_KEYS = frozenset({"encryptionsalt", "encryptedkey", "secretsprovider"})


class StackConfigFiles:
    """The configuration files of one environment's stacks."""

    def __init__(self, folder: Path, environment: str) -> None:
        self._folder = folder
        self._environment = environment

    def path(self, stack: str) -> Path:
        """The file of one stack."""
        return self._folder / f"Pulumi.{stack}.yaml"

    def read(self, stack: str) -> Mapping[str, Json]:
        """Give a stack's configuration; nothing when it has none."""
        held = _read(self.path(stack)).get("config")
        return held if isinstance(held, dict) else {}

    def write(
        self, stack: str, values: Mapping[str, Json], *, without: Collection[str] = ()
    ) -> None:
        """Set our keys and drop some; keys of others, and what encrypts its secrets, stay.

        Stacks of one environment share a salt: deriving the key of one takes a quarter of a
        second, and every stack would pay it again. Behind a cloud's key they share the data key.
        """
        path = self.path(stack)
        content = _read(path)
        before = dict(content)
        if not ENCRYPTION_KEYS & content.keys():
            content = {**self._shared_encryption(), **content}
        held = content.get("config")
        others = held if isinstance(held, dict) else {}
        content["config"] = {
            **{key: value for key, value in others.items() if key not in without},
            **values,
        }
        if content != before:
            write_atomically(path, yaml.safe_dump(content, sort_keys=False))

    def remove(self, stack: str) -> None:
        """Delete the file of a stack that is gone."""
        self.path(stack).unlink(missing_ok=True)

    def _shared_encryption(self) -> dict[str, Json]:
        for path in sorted(self._folder.glob(f"Pulumi.{self._environment}.*.yaml")):
            content = _read(path)
            if found := {key: content[key] for key in content if key in ENCRYPTION_KEYS}:
                return found
        return {}


def _read(path: Path) -> dict[str, Json]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return content if isinstance(content, dict) else {}
