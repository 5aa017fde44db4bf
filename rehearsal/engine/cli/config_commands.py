"""The commands about a stack's configuration: `config`, `config get|set|set-all|rm|rm-all`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Final

from rehearsal.engine.backend.folder import StackRef
from rehearsal.engine.cli.workplace import Workplace
from rehearsal.engine.configuration import stack_configuration
from rehearsal.engine.configuration.stack_configuration import ConfigValue, StackSettings
from rehearsal.engine.errors import EXIT_USAGE, CommandFailedError
from rehearsal.engine.values import gojson
from rehearsal.engine.values.gojson import Json, JsonObject

Command = Callable[[Workplace], None]


def list_all(work: Workplace) -> None:
    """Print the effective configuration."""
    ref = work.stack
    show = work.arguments.has("show-secrets")
    values = _effective(work, ref, work.settings(ref))
    if work.arguments.has("json"):
        work.print_json({key: value.to_json(show_secrets=show) for key, value in values.items()})
        return
    width = max((len(key) for key in values), default=0)
    for key, value in values.items():
        work.out(f"{key:<{width}}  {value.text if show or not value.secret else '[secret]'}")


def get(work: Workplace) -> None:
    """Print one value."""
    ref = work.stack
    key = _operands(work, 1)[0]
    settings = work.settings(ref)
    value = _lookup(work, ref, settings, key)
    if value is None:
        raise CommandFailedError(f"configuration key '{key}' not found for stack '{ref.name}'")
    if work.arguments.has("json"):
        work.print_json(value.to_json(show_secrets=True))
    else:
        work.out(value.text)


def set_one(work: Workplace) -> None:
    """Set one value."""
    ref = work.stack
    key, text = _operands(work, 2)
    settings = work.settings(ref)
    _set(work, ref, settings, key, text, secret=work.arguments.has("secret"))
    settings.save()


def set_all(work: Workplace) -> None:
    """Set many values at once: the plain ones, then the secret ones."""
    ref = work.stack
    settings = work.settings(ref)
    for flag in ("plaintext", "secret"):
        for pair in work.arguments.all(flag):
            key, text = _pair(pair)
            _set(work, ref, settings, key, text, secret=flag == "secret")
    if document := work.arguments.get("json"):
        for key, item in _json_values(document).items():
            _set_document(work, ref, settings, key, item)
    settings.save()


def set_by_flags(work: Workplace) -> None:
    """Save what an operation's `-c key=value` sets; `--config-path` makes its keys paths."""
    pairs = work.arguments.all("config")
    if not pairs:
        return
    ref = work.stack
    settings = work.settings(ref)
    for pair in pairs:
        key, text = _pair(pair)
        settings.set(key, text, project=work.project, is_path=work.arguments.has("config-path"))
    settings.save()


def remove(work: Workplace) -> None:
    """Remove values; one that is not there is removed already."""
    ref = work.stack
    settings = work.settings(ref)
    for key in work.arguments.operands:
        settings.remove(key, project=work.project, is_path=work.arguments.has("path"))
    settings.save()


def refresh(work: Workplace) -> None:
    """Restore the configuration of the last update."""
    ref = work.stack
    entries = work.backend.history(ref, stop=1)
    if not entries:
        raise CommandFailedError("no previous deployment")
    settings = work.settings(ref)
    salt = work.salt(ref)
    if not work.arguments.has("force") and settings.document:
        backup = settings.file.with_name(f"{settings.file.name}.bak")
        while backup.exists():
            backup = backup.with_name(f"{backup.name}.bak")
        settings.file.replace(backup)
    restored = StackSettings(settings.file, {"encryptionsalt": salt})
    restored.document["config"] = entries[0].get("config") or {}
    restored.save()


def _effective(work: Workplace, ref: StackRef, settings: StackSettings) -> dict[str, ConfigValue]:
    return stack_configuration.effective(
        settings, work.project, ref.name, lambda: work.crypter(ref)
    )


def _lookup(
    work: Workplace, ref: StackRef, settings: StackSettings, key: str
) -> ConfigValue | None:
    if not work.arguments.has("path"):
        return _effective(work, ref, settings).get(work.project.qualified(key))
    namespace, name = stack_configuration.split_key(key, work.project)
    parts = stack_configuration.parse_path(name)
    values = settings.qualified(work.project)
    found = stack_configuration.at_path(values.get(f"{namespace}:{parts[0]}"), parts[1:])
    return None if found is None else stack_configuration.reveal(found, lambda: work.crypter(ref))


def _set(
    work: Workplace,
    ref: StackRef,
    settings: StackSettings,
    key: str,
    text: str,
    *,
    secret: bool,
) -> None:
    is_path = work.arguments.has("path")
    value: Json = text
    if secret:
        value = {"secure": work.crypter(ref).encrypt(text)}
    elif is_path and len(stack_configuration.parse_path(key.rpartition(":")[2])) > 1:
        value = stack_configuration.coerced(text)
    settings.set(key, value, project=work.project, is_path=is_path)


def _set_document(
    work: Workplace, ref: StackRef, settings: StackSettings, key: str, item: Mapping[str, Json]
) -> None:
    value = item.get("objectValue", item.get("value"))
    if item.get("secret"):
        text = value if isinstance(value, str) else gojson.dumps(value)
        value = {"secure": work.crypter(ref).encrypt(text)}
    settings.set(key, value, project=work.project)


def _json_values(text: str) -> dict[str, JsonObject]:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise CommandFailedError(f"could not parse --json: {error}", EXIT_USAGE) from error
    if not isinstance(document, dict) or not all(isinstance(v, dict) for v in document.values()):
        raise CommandFailedError(
            '--json takes an object such as {"key": {"value": "text", "secret": false}}',
            EXIT_USAGE,
        )
    return document


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise CommandFailedError(f"could not parse {text} as `key=value`", EXIT_USAGE)
    return key, value


def _operands(work: Workplace, count: int) -> list[str]:
    operands = work.arguments.operands
    if len(operands) != count:
        raise CommandFailedError(f"accepts {count} arg(s), received {len(operands)}", EXIT_USAGE)
    return operands


COMMANDS: Final[Mapping[tuple[str, ...], Command]] = {
    ("config",): list_all,
    ("config", "get"): get,
    ("config", "set"): set_one,
    ("config", "set-all"): set_all,
    ("config", "rm"): remove,
    ("config", "rm-all"): remove,
    ("config", "refresh"): refresh,
}
