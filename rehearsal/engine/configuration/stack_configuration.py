"""A stack's configuration, `Pulumi.<stack>.yaml`: reading, changing, encrypting."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import yaml

from rehearsal.engine.configuration.project import ConfigDeclaration, Project, read_yaml
from rehearsal.engine.configuration.yaml_text import rewritten
from rehearsal.engine.errors import CommandFailedError
from rehearsal.engine.files import write_atomically
from rehearsal.engine.secrets.passphrase import Crypter
from rehearsal.engine.values import gojson
from rehearsal.engine.values.gojson import Json, JsonObject

_INTEGER: Final = re.compile(r"-?(0|[1-9][0-9]*)")
_PATH_PART: Final = re.compile(r'\.?([^.\[\]"]+)|\[(\d+)\]|\.?\["((?:[^"\\]|\\.)*)"\]')


@dataclass(frozen=True, slots=True)
class ConfigValue:
    """One effective configuration value: its text, and the object behind it if it is one."""

    text: str
    secret: bool = False
    is_object: bool = False

    def to_json(self, *, show_secrets: bool) -> JsonObject:
        """Describe the value as `config --json` does."""
        document: JsonObject = {}
        if show_secrets or not self.secret:
            document["value"] = self.text
            if self.is_object:
                document["objectValue"] = _parse_yaml(self.text)
        return {**document, "secret": self.secret}


@dataclass(slots=True)
class StackSettings:
    """The content of a stack's configuration file; unknown keys stay as they are."""

    file: Path
    document: JsonObject = field(default_factory=dict)

    @classmethod
    def load(cls, file: Path) -> StackSettings:
        """Read the file; an absent one is an empty configuration."""
        return cls(file, read_yaml(file))

    def save(self) -> None:
        """Write the file; comments in it stay."""
        text = self.file.read_text(encoding="utf-8") if self.file.exists() else ""
        write_atomically(self.file, rewritten(text, self.document))

    @property
    def salt(self) -> str:
        """The salt of the passphrase; empty when the file has none."""
        return str(self.document.get("encryptionsalt") or "")

    @salt.setter
    def salt(self, salt: str) -> None:
        self.document = {"encryptionsalt": salt, **self.document}

    @property
    def values(self) -> JsonObject:
        """The configuration values as they stand in the file, by unqualified or qualified key."""
        config = self.document.get("config")
        return dict(config) if isinstance(config, Mapping) else {}

    def qualified(self, project: Project) -> JsonObject:
        """The values in the file by qualified key."""
        return {project.qualified(key): value for key, value in self.values.items()}

    def set(self, key: str, value: Json, *, project: Project, is_path: bool = False) -> None:
        """Set a value, or a part of one when the key is a path."""
        values = self.qualified(project)
        namespace, name = split_key(key, project)
        if is_path:
            parts = parse_path(name)
            top = f"{namespace}:{parts[0]}"
            values[top] = _set_path(values.get(top), parts[1:], value)
        else:
            values[f"{namespace}:{name}"] = value
        self.document["config"] = values

    def remove(self, key: str, *, project: Project, is_path: bool = False) -> None:
        """Remove a value, or a part of one; what is not there is removed already."""
        values = self.qualified(project)
        namespace, name = split_key(key, project)
        parts: list[str | int] = parse_path(name) if is_path else [name]
        top = f"{namespace}:{parts[0]}"
        if len(parts) == 1:
            values.pop(top, None)
        elif top in values:
            values[top] = _remove_path(values[top], parts[1:])
        self.document["config"] = values
        if not values:
            del self.document["config"]


def split_key(key: str, project: Project) -> tuple[str, str]:
    """Split a key into namespace and name; the project's namespace is the default."""
    namespace, colon, name = key.partition(":")
    return (namespace, name) if colon else (project.name, key)


def effective(
    settings: StackSettings, project: Project, stack: str, crypter: Callable[[], Crypter]
) -> dict[str, ConfigValue]:
    """Combine a stack's configuration with the project's defaults, decrypted, sorted by key."""
    values = settings.qualified(project)
    for declaration in project.declarations:
        _apply_declaration(declaration, values, stack)
    return {key: reveal(values[key], crypter) for key in sorted(values)}


def reveal(value: Json, crypter: Callable[[], Crypter]) -> ConfigValue:
    """Decrypt one value of the file."""
    if is_secure(value):
        return ConfigValue(crypter().decrypt(_ciphertext(value)), secret=True)
    if isinstance(value, Mapping | list):
        text = gojson.dumps(_decrypted(value, crypter))
        return ConfigValue(text, secret=contains_secure(value), is_object=True)
    return ConfigValue(scalar_text(value))


def scalar_text(value: Json) -> str:
    """Write a scalar of the file as the text a program reads."""
    return value if isinstance(value, str) else gojson.dumps(value)


def is_secure(value: Json) -> bool:
    """Tell an encrypted value: a mapping with the single key `secure`."""
    return (
        isinstance(value, Mapping) and set(value) == {"secure"} and isinstance(value["secure"], str)
    )


def contains_secure(value: Json) -> bool:
    """Tell whether any part of a value is encrypted."""
    if is_secure(value):
        return True
    if isinstance(value, Mapping):
        return any(contains_secure(item) for item in value.values())
    return isinstance(value, list) and any(contains_secure(item) for item in value)


def parse_path(path: str) -> list[str | int]:
    """Split `a.b[0]["c.d"]` into its parts.

    Raises:
        CommandFailedError: the text is no path.
    """
    parts: list[str | int] = []
    position = 0
    while position < len(path):
        match = _PATH_PART.match(path, position)
        if match is None:
            raise CommandFailedError(f"invalid config key path: {path}")
        name, index, quoted = match.groups()
        if index is not None:
            parts.append(int(index))
        else:
            parts.append(name if name is not None else quoted.replace('\\"', '"'))
        position = match.end()
    if not parts:
        raise CommandFailedError("config key path is empty")
    return parts


def coerced(text: str) -> Json:
    """Give a nested value its type: `true`, `false` and integers are no strings."""
    if text in {"true", "false"}:
        return text == "true"
    return int(text) if _INTEGER.fullmatch(text) else text


def at_path(value: Json, parts: list[str | int]) -> Json:
    """Look up a part of a value; None when it is not there."""
    for part in parts:
        if isinstance(value, Mapping) and part in value:
            value = value[str(part)]
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return None
    return value


def _ciphertext(value: Json) -> str:
    return str(value["secure"]) if isinstance(value, Mapping) else ""


def _decrypted(value: Json, crypter: Callable[[], Crypter]) -> Json:
    if is_secure(value):
        return crypter().decrypt(_ciphertext(value))
    if isinstance(value, Mapping):
        return {str(key): _decrypted(value[key], crypter) for key in sorted(value)}
    if isinstance(value, list):
        return [_decrypted(item, crypter) for item in value]
    return value


def _apply_declaration(declaration: ConfigDeclaration, values: JsonObject, stack: str) -> None:
    if declaration.key not in values:
        given = declaration.value if declaration.value is not None else declaration.default
        if given is not None:
            values[declaration.key] = given
        elif declaration.type:
            name = declaration.key.partition(":")[2]
            raise CommandFailedError(f"Stack '{stack}' is missing configuration value '{name}'")
    elif declaration.secret and not is_secure(values[declaration.key]):
        name = declaration.key.partition(":")[2]
        raise CommandFailedError(
            f"Stack '{stack}' with configuration key '{name}' must be encrypted as it's secret"
        )


def _set_path(container: Json, parts: list[str | int], value: Json) -> Json:
    if not parts:
        return value
    part, rest = parts[0], parts[1:]
    if isinstance(part, int):
        if container is not None and not isinstance(container, list):
            raise CommandFailedError("a list index was given where the configuration has no list")
        items = list(container or ())
        if part > len(items):
            raise CommandFailedError(f"array index {part} is out of range")
        items[part : part + 1] = [
            _set_path(items[part] if part < len(items) else None, rest, value)
        ]
        return items
    if container is not None and not isinstance(container, Mapping):
        raise CommandFailedError("a key was given where the configuration has no object")
    mapping = dict(container or {})
    mapping[part] = _set_path(mapping.get(part), rest, value)
    return mapping


def _remove_path(container: Json, parts: list[str | int]) -> Json:
    part, rest = parts[0], parts[1:]
    if isinstance(container, list) and isinstance(part, int) and part < len(container):
        items = list(container)
        items[part : part + 1] = [_remove_path(items[part], rest)] if rest else []
        return items
    if isinstance(container, Mapping) and part in container:
        mapping = {str(key): item for key, item in container.items()}
        if rest:
            mapping[str(part)] = _remove_path(mapping[str(part)], rest)
        else:
            del mapping[str(part)]
        return mapping
    return container


def _parse_yaml(text: str) -> Json:
    document: Json = yaml.safe_load(text)
    return document
