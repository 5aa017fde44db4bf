"""What is different between the preview that was approved and the one of now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from orchestration.review.errors import NotApproved
from orchestration.review.model import AccessChange, ResourceChange, Review
from orchestration.review.wording import attribute_words, change_words

# So many differences are told; one is enough to stop.
SHOWN_DIFFERENCES = 50


def require_approved(approved: Review, now: Review) -> None:
    """Refuse to go on with anything but what was approved.

    Raises:
        NotApproved: `details` names what differs.
    """
    if now.fingerprint == approved.fingerprint:
        return
    found = list(differences(approved, now))
    told = found[:SHOWN_DIFFERENCES]
    if len(found) > len(told):
        told.append(f"… and {len(found) - len(told)} more")
    raise NotApproved(
        f"what `up` would do now ({now.fingerprint}) is not what was approved"
        f" ({approved.fingerprint})",
        details="\n".join(told),
    )


def differences(approved: Review, now: Review) -> Iterator[str]:
    """Yield what differs, a line each: what is new, what is gone, what is another."""
    for name, before, after in (
        ("environment", approved.environment, now.environment),
        ("architecture", approved.architecture, now.architecture),
    ):
        if before != after:
            yield f"approved for {name} {before}, this is {after}"
    stacks = [stack.stack for stack in approved.stacks], [stack.stack for stack in now.stacks]
    if stacks[0] != stacks[1]:
        yield f"stacks: approved {', '.join(stacks[0])}; now {', '.join(stacks[1])}"
    yield from _changes(approved, now)
    yield from _access(approved, now)
    yield from _contexts(approved.contexts, now.contexts)


def _changes(approved: Review, now: Review) -> Iterator[str]:
    before = {(change.stack, change.urn): change for change in approved.changes}
    after = {(change.stack, change.urn): change for change in now.changes}
    for key in sorted(before.keys() | after.keys()):
        one, other = before.get(key), after.get(key)
        if one is None and other is not None:
            yield f"{key[0]}: not approved: {change_words(other)}"
        elif other is None and one is not None:
            yield f"{key[0]}: approved, but not to be done any more: {change_words(one)}"
        elif one is not None and other is not None:
            yield from _inside(one, other)


def _inside(one: ResourceChange, other: ResourceChange) -> Iterator[str]:
    if one.operation != other.operation:
        yield f"{one.stack}: approved to {one.operation} {one.name}, now {other.operation}"
    before = {attribute.path: attribute for attribute in one.attributes}
    after = {attribute.path: attribute for attribute in other.attributes}
    for path in sorted(before.keys() | after.keys()):
        approved, now = before.get(path), after.get(path)
        told = (
            attribute_words(approved) if approved is not None else "nothing",
            attribute_words(now) if now is not None else "nothing",
        )
        if told[0] != told[1]:
            yield f"{one.stack}: {one.name}: {path}: approved {told[0]}; now {told[1]}"


def _access(approved: Review, now: Review) -> Iterator[str]:
    before, after = ({_key(change): change for change in one.access} for one in (approved, now))
    for key in sorted(after.keys() - before.keys()):
        yield f"{key[0]}: not approved: {after[key].sentence}"
    for key in sorted(before.keys() - after.keys()):
        yield f"{key[0]}: approved, but not to be done any more: {before[key].sentence}"


def _key(change: AccessChange) -> tuple[str, str, str, str, str]:
    return change.stack, change.effect.value, change.member, change.role, change.on


def _contexts(approved: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    for service in sorted(approved.keys() | now.keys()):
        if service not in now:
            yield f"service {service}: approved with a build context, now without"
        elif service not in approved:
            yield f"service {service}: its build context was not approved"
        elif approved[service] != now[service]:
            yield f"service {service}: its sources are not those that were approved"
