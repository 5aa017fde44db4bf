"""A deployment leaves a stack and comes into one: `stack export|import`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from rehearsal.engine.backend.folder import StackRef
from rehearsal.engine.cli.workplace import Workplace
from rehearsal.engine.errors import CommandFailedError
from rehearsal.engine.files import describe, write_atomically
from rehearsal.engine.secrets.codec import StateCodec
from rehearsal.engine.state import checkpoint, integrity
from rehearsal.engine.state.checkpoint import Snapshot
from rehearsal.engine.values import gojson, urns
from rehearsal.engine.values.gojson import JsonObject


def export(work: Workplace) -> None:
    """Print the stack's deployment or write it to a file, secrets in the clear if asked for."""
    ref = work.stack
    deployment = work.backend.load(ref)
    if work.arguments.has("show-secrets"):
        snapshot = checkpoint.read(deployment, work.codec(ref))
        deployment = checkpoint.write(snapshot, None, written_by=snapshot.manifest)
    document: JsonObject = {"version": checkpoint.FORMAT, "deployment": deployment}
    file = work.arguments.get("file")
    if file:
        write_atomically(work.folder / file, gojson.dumps(document, indent=4) + "\n")
    else:
        work.print_json(document, indent=4)


def import_(work: Workplace) -> None:
    """Replace the stack's deployment by an exported one."""
    ref = work.stack
    deployment = _given(work)
    salt = checkpoint.salt_of(work.backend.load(ref)) or work.salt(ref)
    # Its secrets may be locked with a salt of its own; here they get the stack's.
    theirs = checkpoint.salt_of(deployment) or salt
    own = work.codec(ref)
    codec = own if theirs == salt else StateCodec(lambda: work.unlock(theirs))
    with work.backend.lock(ref):
        imported = checkpoint.read(deployment, codec)
        # A secret that the stack has already keeps its ciphertext.
        checkpoint.read(work.backend.load(ref), own)
        _refuse_doubtful(work, ref, imported)
        for item in imported.pending:
            work.warn(
                f"removing pending operation '{item.kind}' on '{item.resource.urn}' from snapshot"
            )
        imported.pending = []
        imported.salt = salt
        # It stays the work of who wrote it, and as with the real engine no update of its own.
        document = checkpoint.write(imported, own, written_by=imported.manifest or None)
        work.backend.save(ref, document, work.backend.read(ref))
    work.out("Import complete.")


def _given(work: Workplace) -> JsonObject:
    file = work.arguments.get("file")
    try:
        text = Path(work.folder, file).read_text(encoding="utf-8") if file else sys.stdin.read()
    except OSError as error:
        raise CommandFailedError(f"could not open file: {describe(error)}") from error
    try:
        document = gojson.loads(text)
    except ValueError as error:
        raise CommandFailedError(f"could not deserialize deployment: {error}") from error
    if not isinstance(document, Mapping):
        raise CommandFailedError("could not deserialize deployment: it is no JSON object")
    return checkpoint.deployment_of(document)


def _refuse_doubtful(work: Workplace, ref: StackRef, imported: Snapshot) -> None:
    """Refuse a deployment of another stack, or one that breaks the rules; `--force` only warns."""
    found = [
        f"resource '{state.urn}' is from a different stack ({theirs} != {ref.name})"
        for state in imported.resources
        if (theirs := _stack_of(state.urn)) != ref.name
    ]
    if work.checks_integrity and (broken := integrity.violation_of(imported)):
        found.append(f"state file contains errors: {broken}")
    if work.arguments.has("force"):
        for problem in found:
            work.warn(problem)
    elif found:
        found.append("importing this file could be dangerous; rerun with --force to proceed anyway")
        listed = "".join(f"\n    {at}) {problem}" for at, problem in enumerate(found, 1))
        raise CommandFailedError(f"{len(found)} errors occurred:{listed}")


def _stack_of(urn: str) -> str:
    try:
        return urns.parse(urn).stack
    except ValueError:
        return ""
