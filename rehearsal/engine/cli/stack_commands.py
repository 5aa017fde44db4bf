"""The commands about stacks as such: `stack init|select|ls|rm|output|history`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Final

from rehearsal.engine import clock
from rehearsal.engine.backend.folder import StackRef
from rehearsal.engine.cli import transfer
from rehearsal.engine.cli.workplace import Workplace
from rehearsal.engine.configuration.stack_configuration import is_secure, reveal
from rehearsal.engine.errors import (
    EXIT_STACK_NOT_FOUND,
    EXIT_USAGE,
    CommandFailedError,
    DeclinedError,
)
from rehearsal.engine.provider import Unknown
from rehearsal.engine.secrets import passphrase
from rehearsal.engine.secrets.codec import BLINDED
from rehearsal.engine.state import checkpoint
from rehearsal.engine.state.checkpoint import Snapshot
from rehearsal.engine.values import urns
from rehearsal.engine.values.gojson import Json, JsonObject
from rehearsal.engine.values.property_values import SECRET_SIGNATURE, SIGNATURE, EngineValue, plain

Command = Callable[[Workplace], None]


def init(work: Workplace) -> None:
    """Create a stack; a salt that its configuration file already has is kept."""
    arguments = work.arguments
    name = (arguments.operands or [arguments.get("stack")])[0]
    if not name:
        raise CommandFailedError("missing stack name", EXIT_USAGE)
    provider = arguments.get("secrets-provider")
    if provider not in ("", "default", "passphrase"):
        raise DeclinedError(
            f"the secrets provider {provider}", "leave it out and set PULUMI_CONFIG_PASSPHRASE"
        )
    ref = work.ref(name)
    if work.backend.exists(ref):
        raise CommandFailedError(f"stack '{ref}' already exists")
    with work.backend.lock(ref):
        settings = work.settings(ref)
        if settings.salt:
            work.unlock(settings.salt)
        else:
            settings.salt = passphrase.new_salt(passphrase.passphrase_of(work.environ))
            settings.save()
        work.backend.save(ref, checkpoint.write(Snapshot(settings.salt), None))
    if not arguments.has("no-select"):
        work.select(ref)
    work.out(f"Created stack '{ref.name}'")


def select(work: Workplace) -> None:
    """Make a stack the one that commands are about."""
    names = work.arguments.operands or [work.arguments.get("stack")]
    if not names[0]:
        raise CommandFailedError(
            "no stack selected; specify a stack name with --stack", EXIT_STACK_NOT_FOUND
        )
    ref = work.ref(names[0])
    work.backend.load(ref)
    work.select(ref)


def list_all(work: Workplace) -> None:
    """List the project's stacks, or all with `--all`."""
    current = work.selected()
    listed: list[JsonObject] = []
    everything = work.arguments.has("all")
    for ref in work.backend.stacks(None if everything else work.project.name):
        deployment = work.backend.load(ref)
        resources = deployment.get("resources")
        entry: JsonObject = {
            "name": ref.name if ref.project == work.project.name else str(ref),
            "current": str(ref) == current,
        }
        if isinstance(resources, list):
            entry["lastUpdate"] = clock.milliseconds(work.backend.modified_at(ref))
            entry["resourceCount"] = len(resources)
        else:
            entry["resourceCount"] = 0
        listed.append(entry)
    if work.arguments.has("json"):
        work.print_json(listed)
        return
    for entry in listed:
        star = "*" if entry["current"] else ""
        work.out(f"{entry['name']}{star}  {entry['resourceCount']} resources")


def remove(work: Workplace) -> None:
    """Remove a stack that has no resources left, or any with `--force`."""
    operands = work.arguments.operands
    ref = work.ref(operands[0]) if operands else work.stack
    deployment = work.backend.load(ref)
    left = deployment.get("resources")
    count = len(left) if isinstance(left, list) else 0
    only_root = (
        count == 1
        and isinstance(left, list)
        and isinstance(left[0], Mapping)
        and left[0].get("type") == urns.ROOT_TYPE
    )
    if count and not only_root and not work.arguments.has("force"):
        raise CommandFailedError(
            f"'{ref.name}' still has resources; removal rejected. Possible actions:\n"
            "- Make sure that '{0}' is the stack that you want to destroy\n".format(ref.name)
            + "- Run `pulumi destroy` to delete the resources, then run `pulumi stack rm`\n"
            "- Run `pulumi stack rm --force` to override this error"
        )
    with work.backend.lock(ref):
        work.backend.remove(ref)
    if not work.arguments.has("preserve-config"):
        work.project.stack_file(ref.name).unlink(missing_ok=True)
    if work.selected() == str(ref):
        work.select(None)
    work.out(f"Stack '{ref.name}' has been removed!")


def outputs(work: Workplace) -> None:
    """Print the stack's outputs; secrets are masked unless asked for."""
    ref = work.stack
    show = work.arguments.has("show-secrets")
    values: JsonObject = {}
    if show:
        root = checkpoint.read(work.backend.load(ref), work.codec(ref)).root()
        for key, value in (root.outputs if root else {}).items():
            values[key] = _json(value)
    else:
        for resource in _resources(work.backend.load(ref)):
            found = resource.get("outputs")
            if resource.get("type") == urns.ROOT_TYPE and isinstance(found, Mapping):
                values = {key: _masked(value) for key, value in found.items()}
    values = {key: values[key] for key in sorted(values)}
    _print_outputs(work, values)


def _print_outputs(work: Workplace, values: JsonObject) -> None:
    wanted = work.arguments.operands
    if wanted:
        if wanted[0] not in values:
            raise CommandFailedError(f"current stack does not have output property '{wanted[0]}'")
        value = values[wanted[0]]
        if work.arguments.has("json") or not isinstance(value, str):
            work.print_json(value)
        else:
            work.out(value)
    elif work.arguments.has("json"):
        work.print_json(values)
    else:
        width = max((len(key) for key in values), default=0)
        work.out(f"Current stack outputs ({len(values)}):")
        for key, value in values.items():
            text = value if isinstance(value, str) else json.dumps(value)
            work.out(f"    {key:<{width}}  {text}")


def history(work: Workplace) -> None:
    """Print what was done to the stack, newest first."""
    ref = work.stack
    show = work.arguments.has("show-secrets")
    size = work.arguments.number("page-size", 10)
    if work.arguments.has("json") and not {"page", "page-size"} & work.arguments.flags.keys():
        size = 0
    page = max(work.arguments.number("page", 1), 1)
    start, stop = ((page - 1) * size, page * size) if size else (0, None)
    entries = work.backend.history(ref, start=start, stop=stop)
    described = [_describe_entry(work, ref, entry, show_secrets=show) for entry in entries]
    if work.arguments.has("json"):
        work.print_json(described)
        return
    for entry in described:
        work.out(f"{entry['kind']} {entry['startTime']} {entry['result']}: {entry['message']}")


def _describe_entry(
    work: Workplace, ref: StackRef, entry: JsonObject, *, show_secrets: bool
) -> JsonObject:
    config = entry.get("config")
    values: JsonObject = {}
    for key, value in (config if isinstance(config, Mapping) else {}).items():
        if is_secure(value) and not show_secrets:
            values[key] = {"secret": True}
            continue
        try:
            values[key] = reveal(value, lambda: work.crypter(ref)).to_json(show_secrets=True)
        except CommandFailedError:
            values[key] = {"value": "ERROR_UNABLE_TO_DECRYPT", "secret": True}
    described: JsonObject = {
        "version": 0,
        "kind": entry["kind"],
        "startTime": _time(entry["startTime"]),
        "message": entry["message"],
        "environment": entry["environment"],
        "config": values,
        "result": entry["result"],
    }
    if entry.get("endTime"):
        described["endTime"] = _time(entry["endTime"])
    if entry.get("resourceChanges"):
        described["resourceChanges"] = entry["resourceChanges"]
    return described


def _time(value: Json) -> str:
    return clock.milliseconds(float(value)) if isinstance(value, int | float) else ""


def _resources(deployment: Mapping[str, Json]) -> list[Mapping[str, Json]]:
    found = deployment.get("resources")
    return [item for item in found if isinstance(item, Mapping)] if isinstance(found, list) else []


def _masked(value: Json) -> Json:
    if isinstance(value, Mapping):
        if value.get(SIGNATURE) == SECRET_SIGNATURE:
            return BLINDED
        return {key: _masked(item) for key, item in value.items()}
    return [_masked(item) for item in value] if isinstance(value, list) else value


def _json(value: EngineValue) -> Json:
    def convert(item: object) -> Json:
        if isinstance(item, Unknown):
            return ""
        if isinstance(item, Mapping):
            return {str(key): convert(item[key]) for key in sorted(item)}
        return [convert(part) for part in item] if isinstance(item, list) else item  # type: ignore[return-value]

    return convert(plain(value))


COMMANDS: Final[Mapping[tuple[str, ...], Command]] = {
    ("stack", "init"): init,
    ("stack", "select"): select,
    ("stack", "ls"): list_all,
    ("stack", "rm"): remove,
    ("stack", "output"): outputs,
    ("stack", "export"): transfer.export,
    ("stack", "import"): transfer.import_,
    ("stack", "history"): history,
}
