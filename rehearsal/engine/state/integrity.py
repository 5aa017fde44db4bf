"""What makes a list of resources a state that both engines accept.

The rules and the words are the real engine's (`VerifyIntegrity`, once for deployments that are
written and once for snapshots that were read); it stops at the first violation, and so do we.
How a violation is reported is the business of whoever writes or reads a checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final

from rehearsal.engine.errors import CommandFailedError
from rehearsal.engine.state.checkpoint import Snapshot
from rehearsal.engine.state.states import ResourceState
from rehearsal.engine.values import urns
from rehearsal.engine.values.property_values import UNKNOWN_TEXT


@dataclass(frozen=True, slots=True)
class Words:
    """The real engine's phrases that differ between writing and reading a state."""

    magic: str
    dependency_missing: str
    property_later: str
    property_missing: str


WRITING: Final = Words(
    magic="magic cookie mismatch: possible tampering/corruption detected",
    dependency_missing="resource {urn} refers to missing dependency {needed}",
    property_later="resource {urn}'s property dependency {needed} comes after it",
    property_missing="resource {urn} refers to missing property dependency {needed}",
)
READING: Final = Words(
    magic="magic cookie mismatch; possible tampering/corruption detected",
    dependency_missing="resource {urn}'s dependency {needed} refers to missing resource",
    property_later=(
        "resource {urn}'s property dependency {needed} (from property {key}) comes after it"
    ),
    property_missing=(
        "resource {urn}'s property dependency {needed} (from property {key})"
        " refers to missing resource"
    ),
)


@dataclass(frozen=True, slots=True)
class Standing:
    """What the rules ask of one resource, worked out once for as long as it stays as it is.

    `provider` is the reference it must find before it and `offers` the one that it gives to
    later ones; `fault` is what is wrong with it wherever it stands.
    """

    urn: str
    needs: frozenset[str]
    provider: str
    offers: str
    is_live: bool
    fault: str

    @classmethod
    def of(cls, state: ResourceState) -> Standing:
        """Work out the standing of a resource."""
        fault = _fault(state)
        needs = (state.parent, state.deleted_with, *state.dependencies)
        return cls(
            urn=state.urn,
            needs=frozenset(chain(filter(None, needs), *state.property_dependencies.values())),
            provider="" if state.pending_replacement else state.provider,
            offers=_reference(state) if state.is_provider and not fault else "",
            is_live=not state.delete,
            fault=fault,
        )


def is_sound(standings: Iterable[Standing]) -> bool:
    """Tell whether resources in this order are a valid state; the quick form of `violation`."""
    seen: set[str] = set()
    live: set[str] = set()
    providers: set[str] = set()
    for standing in standings:
        urn = standing.urn
        if standing.fault or not seen.issuperset(standing.needs):
            return False
        if standing.offers:
            providers.add(standing.offers)
        if standing.provider and standing.provider not in providers:
            return False
        if standing.is_live:
            if urn in live:
                return False
            live.add(urn)
        seen.add(urn)
    return True


def refuse_broken(snapshot: Snapshot, file: Path) -> None:
    """Refuse to go on from a state that breaks the rules.

    Raises:
        CommandFailedError: it does; says what can be done about it.
    """
    if found := violation_of(snapshot):
        raise CommandFailedError(
            f"snapshot integrity failure; refusing to use it: {found}. Repair {file} with a real"
            f" `pulumi state repair`, put its last version {file}.bak in its place, or go on"
            " regardless with --disable-integrity-checking"
        )


def violation_of(snapshot: Snapshot) -> str:
    """Name the first violation of a snapshot that was read; nothing for a valid one."""
    if not snapshot.has_its_magic:
        return READING.magic
    return violation(snapshot.resources, READING)


def violation(resources: Sequence[ResourceState], words: Words = WRITING) -> str:
    """Name the first thing that would make the real engine refuse these resources.

    Args:
        resources: a state, in the order of the file.
        words: whether it is about to be written or was read.

    Returns:
        The real engine's sentence, or nothing for a valid state.
    """
    seen: set[str] = set()
    providers: set[str] = set()
    for at, state in enumerate(resources):
        if not state.urn:
            return f"resource at index {at} missing required 'urn' field"
        if fault := _fault(state):
            return fault
        if state.is_provider:
            providers.add(_reference(state))
        unknown = state.provider and state.provider not in providers
        if unknown and not state.pending_replacement:
            return f"resource {state.urn} refers to unknown provider {state.provider}"
        for needed, (if_later, if_missing) in _needs(state, words):
            if needed not in seen:
                is_later = any(other.urn == needed for other in resources[at + 1 :])
                return if_later if is_later else if_missing
        seen.add(state.urn)
    return _duplicate(resources)


def _fault(state: ResourceState) -> str:
    """Say what is wrong with a resource wherever it stands; nothing for a good one."""
    urn = state.urn
    if not urn:
        return "missing required 'urn' field"
    if not state.type:
        return f"resource '{urn}' missing required 'type' field"
    if not state.custom and state.id:
        return f"resource '{urn}' has 'custom false but non-empty ID"
    try:
        urns.parse(urn)
    except ValueError as error:
        # The real engine panics on these.
        return f"resource '{urn}' has a malformed URN: {error}"
    return _provider_fault(state)


def _provider_fault(state: ResourceState) -> str:
    if state.is_provider and (reason := _no_provider(state.urn)):
        return f"provider {state.urn} is not referenceable: {reason}"
    reason = ""
    if state.provider:
        reason = _no_provider(state.provider_urn)
        if "::" not in state.provider:
            reason = f"expected '::' in provider reference '{state.provider}'"
    where = f"failed to parse provider reference for resource {state.urn}"
    return f"{where}: {reason}" if reason else ""


def _no_provider(urn: str) -> str:
    """Say why a URN is not that of a provider; nothing when it is."""
    try:
        type_ = urns.parse(urn).type
    except ValueError:
        return f"{urn} is not a valid URN"
    if urns.is_provider(type_):
        return ""
    module = type_.rpartition(":")[0]
    return f"invalid module in type: expected 'pulumi:providers', got '{module}'"


def _reference(state: ResourceState) -> str:
    # A provider that was never configured has no id; it is referred to as unknown.
    return urns.reference(state.urn, state.id or UNKNOWN_TEXT)


def _needs(state: ResourceState, words: Words) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield each URN that must stand before a resource, and what to say if it does not."""
    urn = state.urn
    if state.parent:
        yield (
            state.parent,
            (
                f"child resource {urn}'s parent {state.parent} comes after it",
                f"child resource {urn} refers to missing parent {state.parent}",
            ),
        )
    for needed in state.dependencies:
        yield (
            needed,
            (
                f"resource {urn}'s dependency {needed} comes after it",
                words.dependency_missing.format(urn=urn, needed=needed),
            ),
        )
    for key in sorted(state.property_dependencies):
        for needed in state.property_dependencies[key]:
            named = {"urn": urn, "needed": needed, "key": key}
            yield (
                needed,
                (
                    words.property_later.format_map(named),
                    words.property_missing.format_map(named),
                ),
            )
    if state.deleted_with:
        described = f"resource {urn} is specified as being deleted with {state.deleted_with}"
        yield (
            state.deleted_with,
            (f"{described}, which comes after it", f"{described}, which is missing"),
        )


def _duplicate(resources: Sequence[ResourceState]) -> str:
    """Find a URN that more than one resource has which is not waiting for its deletion."""
    live: set[str] = set()
    for state in resources:
        if not state.delete and state.urn in live:
            return f"duplicate resource {state.urn} (not marked for deletion)"
        if not state.delete:
            live.add(state.urn)
    return ""
