"""The project file, `Pulumi.yaml`: where it is and what the engine needs of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import yaml

from rehearsal.engine.errors import CommandFailedError
from rehearsal.engine.values.gojson import Json, JsonObject

_NAMES: Final = ("Pulumi.yaml", "Pulumi.yml", "Pulumi.json")


@dataclass(frozen=True, slots=True)
class ConfigDeclaration:
    """What the project says about a configuration key of its stacks."""

    key: str
    type: str = ""
    default: Json = None
    value: Json = None
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Project:
    """A Pulumi project."""

    name: str
    file: Path
    runtime: str = "python"
    main: str = ""
    backend_url: str = ""
    stack_config_dir: str = ""
    refresh_always: bool = False
    declarations: tuple[ConfigDeclaration, ...] = ()
    raw: JsonObject = field(default_factory=dict)

    @property
    def root(self) -> Path:
        """The folder of the project file."""
        return self.file.parent

    def stack_file(self, stack: str) -> Path:
        """Where a stack's configuration is."""
        return self.root / self.stack_config_dir / f"Pulumi.{stack}.yaml"

    def program(self) -> tuple[Path, str]:
        """Return the folder a program runs in and its entry point there."""
        entry = (self.root / self.main).resolve() if self.main else self.root
        return (entry, ".") if entry.is_dir() else (entry.parent, entry.name)

    def qualified(self, key: str) -> str:
        """Give a configuration key the project's namespace when it has none."""
        return key if ":" in key else f"{self.name}:{key}"


def find(folder: Path) -> Project:
    """Load the project that a folder belongs to.

    Raises:
        CommandFailedError: there is none, or its file is broken.
    """
    start = folder.resolve()
    for candidate in (start, *start.parents):
        for name in _NAMES:
            if (file := candidate / name).is_file():
                return load(file)
    raise CommandFailedError(
        f"no Pulumi.yaml project file found (searching upwards from {start})."
        " If you have not created a project yet, use `pulumi new` to do so"
    )


def load(file: Path) -> Project:
    """Load a project file."""
    document = read_yaml(file)
    name = document.get("name")
    if not isinstance(name, str) or not name:
        raise CommandFailedError(f"could not load {file}: project is missing a 'name' attribute")
    runtime = document.get("runtime", "python")
    config = document.get("config")
    return Project(
        name=name,
        file=file,
        runtime=str(runtime.get("name", "")) if isinstance(runtime, Mapping) else str(runtime),
        main=str(document.get("main") or ""),
        backend_url=_nested(document, "backend", "url"),
        stack_config_dir=config
        if isinstance(config, str)
        else str(document.get("stackConfigDir") or ""),
        refresh_always=_nested(document, "options", "refresh") == "always",
        declarations=tuple(_declarations(name, config)) if isinstance(config, Mapping) else (),
        raw=document,
    )


def read_yaml(file: Path) -> JsonObject:
    """Read a YAML file whose top level is a mapping; an empty or absent one is an empty mapping."""
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, yaml.YAMLError) as error:
        raise CommandFailedError(f"could not load {file}: {error}") from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise CommandFailedError(f"could not load {file}: it is not a mapping")
    return document


def _declarations(project: str, config: Mapping[str, Json]) -> list[ConfigDeclaration]:
    found = []
    for name, declared in config.items():
        key = name if ":" in name else f"{project}:{name}"
        if isinstance(declared, Mapping):
            found.append(
                ConfigDeclaration(
                    key,
                    type=str(declared.get("type", "")),
                    default=declared.get("default"),
                    value=declared.get("value"),
                    secret=bool(declared.get("secret")),
                )
            )
        else:
            found.append(ConfigDeclaration(key, value=declared))
    return found


def _nested(document: Mapping[str, Json], outer: str, inner: str) -> str:
    section = document.get(outer)
    return str(section.get(inner) or "") if isinstance(section, Mapping) else ""
