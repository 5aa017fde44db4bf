"""Changes of access in words: who gains or loses what on what, why, and how dangerous it is.

Read from the planned operations, not from the architecture, so that what is shown is what the
engine would do; the architecture only gives the reasons.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from architecture.grants import GrantPlan, GrantResource
from orchestration.automation.results import Json, PlannedStep
from orchestration.review.model import AccessChange, Effect
from orchestration.review.risks import assess, assess_permissions, escalates

# The property that names what a member's grant is on, and the words for it.
MEMBER_TYPES: Mapping[str, tuple[str, str]] = {
    "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember": ("repository", "repository"),
    "gcp:bigquery/datasetIamMember:DatasetIamMember": ("datasetId", "dataset"),
    "gcp:bigquery/iamMember:IamMember": ("tableId", "table"),
    "gcp:cloudrunv2/serviceIamMember:ServiceIamMember": ("name", "service"),
    "gcp:projects/iAMMember:IAMMember": ("project", "project"),
    "gcp:pubsub/subscriptionIAMMember:SubscriptionIAMMember": ("subscription", "subscription"),
    "gcp:pubsub/topicIAMMember:TopicIAMMember": ("topic", "topic"),
    "gcp:secretmanager/secretIamMember:SecretIamMember": ("secretId", "secret"),
    "gcp:serviceaccount/iAMMember:IAMMember": ("serviceAccountId", "service account"),
    "gcp:storage/bucketIAMMember:BucketIAMMember": ("bucket", "bucket"),
}
CUSTOM_ROLE_TYPE = "gcp:projects/iAMCustomRole:IAMCustomRole"
ACCOUNT_TYPE = "gcp:serviceaccount/account:Account"
SERVICE_TYPE = "gcp:cloudrunv2/service:Service"
# An account without grants can do nothing, whoever made them.
EVERY_ROLE = "every role"
AGENT_NUMBER = re.compile(r"service-\d+@")


def access_changes(
    stack: str, steps: Iterable[PlannedStep], reasons: Mapping[tuple[str, str, str], str]
) -> Iterator[AccessChange]:
    """Yield what the steps of one stack change of access.

    Args:
        stack: the stack's name.
        steps: its planned steps; quiet ones are passed over.
        reasons: why there is a grant, by member, role and what it is on, as in `topic orders`.
    """
    for step in steps:
        if step.is_quiet or not step.is_custom:
            continue
        if step.type in MEMBER_TYPES:
            yield from _of_member(stack, step, reasons)
        elif step.type == CUSTOM_ROLE_TYPE:
            yield from _of_role(stack, step)
        elif step.type == ACCOUNT_TYPE and step.operation in {"delete", "replace"}:
            why = f"its account is {'deleted' if step.operation == 'delete' else 'made anew'}"
            on = ("", "everything")
            yield _change(stack, step, Effect.LOSES, step.member, EVERY_ROLE, on, why)
        elif step.type == SERVICE_TYPE:
            yield from _of_service(stack, step)


def grant_reasons(plan: GrantPlan) -> dict[tuple[str, str, str], str]:
    """Give the architecture's reason for each grant, by member, role and what it is on."""
    return {
        (_agent(grant.member), grant.role, _on(grant.resource)): grant.reason
        for grant in (*plan.all, *plan.agents)
    }


def with_lost_grants(changes: Iterable[AccessChange], plan: GrantPlan) -> list[AccessChange]:
    """Add each grant that goes with an account that is deleted.

    Google ends an account's grants with the account: most of them are nobody's operation.

    Args:
        changes: the changes of all stacks.
        plan: the grants of the system as it stands.
    """
    told = list(changes)
    ended = {one.member: one for one in told if one.role == EVERY_ROLE}
    lost = {(one.member, one.role, one.on) for one in told if one.effect is Effect.LOSES}
    for grant in plan.all:
        on = _on(grant.resource)
        if grant.member in ended and (grant.member, grant.role, on) not in lost:
            account = ended[grant.member]
            risk, flags = assess(grant.member, grant.role, on, Effect.LOSES)
            told.append(
                account.model_copy(
                    update={
                        "role": grant.role,
                        "on": on,
                        "kind": _kind(grant.resource),
                        "risk": risk,
                        "flags": flags,
                    }
                )
            )
    return told


def _of_member(
    stack: str, step: PlannedStep, reasons: Mapping[tuple[str, str, str], str]
) -> Iterator[AccessChange]:
    kind = MEMBER_TYPES[step.type][1]
    before, after = _grant(step, step.before), _grant(step, step.after)
    if step.operation in {"create", "update"} and before == after:
        before = None
    if step.operation == "delete":
        after = None
    if before is not None and before != after:
        why = "the architecture asks for it no longer"
        member, role, on = before
        yield _change(stack, step, Effect.LOSES, member, role, (kind, on), why)
    if after is not None:
        member, role, on = after
        # One that is made anew is in the meantime not there, which only its owner need know.
        asked = "it is made anew" if before == after else "the architecture asks for it"
        why = asked if before == after else reasons.get((_agent(member), role, on), asked)
        yield _change(stack, step, Effect.GAINS, member, role, (kind, on), why)


def _grant(step: PlannedStep, inputs: Mapping[str, Json]) -> tuple[str, str, str] | None:
    """Read member, role and resource; what is not known yet is in the grant's own name."""
    if not inputs:
        return None
    key, kind = MEMBER_TYPES[step.type]
    on = inputs.get(key)
    named = step.name.split("/")
    name = on if isinstance(on, str) else (named[1] if len(named) > 1 else step.name)
    if step.type.startswith("gcp:bigquery/iamMember"):
        name = f"{inputs.get('datasetId')}.{name}"
    member, role = inputs.get("member"), inputs.get("role")
    return (
        member if isinstance(member, str) else "a member that is not known yet",
        role if isinstance(role, str) else "a role that is not known yet",
        f"{kind} {name if kind == 'repository' else name.rpartition('/')[2]}",
    )


def _kind(resource: GrantResource) -> str:
    return resource.kind.value.replace("-", " ")


def _on(resource: GrantResource) -> str:
    return f"{_kind(resource)} {resource.name}"


def _agent(member: str) -> str:
    """Name a Google's agent as plans do: without the project's number, which only Google knows."""
    return AGENT_NUMBER.sub("service-PROJECT_NUMBER@", member, count=1)


def _of_role(stack: str, step: PlannedStep) -> Iterator[AccessChange]:
    """Tell which permissions everyone who has a custom role gains or loses."""
    had, has = _permissions(step.before), _permissions(step.after)
    role = str((step.after or step.before).get("roleId", step.name))
    if step.operation == "delete":
        has = frozenset()
    for effect, permissions in ((Effect.GAINS, has - had), (Effect.LOSES, had - has)):
        if not permissions:
            continue
        risk, flags = assess_permissions(permissions, effect)
        yield AccessChange(
            stack=stack,
            effect=effect,
            member=f"whoever has role {role}",
            role=", ".join(sorted(permissions, key=lambda name: (not escalates(name), name))),
            on="what the role is granted on",
            why="the kinds of resources in the architecture ask for it",
            risk=risk,
            flags=flags,
            repairs_drift=step.repairs_drift,
            urn=step.urn,
        )


def _permissions(inputs: Mapping[str, Json]) -> frozenset[str]:
    listed = inputs.get("permissions")
    return frozenset(str(item) for item in listed) if isinstance(listed, list) else frozenset()


def _of_service(stack: str, step: PlannedStep) -> Iterator[AccessChange]:
    """Tell when a deployed service gets another identity, or lets everybody in."""
    if step.operation != "create" and step.after:
        old, new = _runs_as(step.before), _runs_as(step.after)
        if old != new:
            why = f"it ran as {old or 'the default account'}"
            role = f"everything that {new or 'the default account'} may do"
            who = f"service {step.name}"
            yield _change(stack, step, Effect.GAINS, who, role, ("", "all of it"), why)
    if step.after.get("invokerIamDisabled") is True and (
        step.before.get("invokerIamDisabled") is not True
    ):
        on, why = ("service", f"service {step.name}"), "its invoker check is turned off"
        yield _change(stack, step, Effect.GAINS, "allUsers", "roles/run.invoker", on, why)


def _runs_as(inputs: Mapping[str, Json]) -> str:
    template = inputs.get("template")
    account = template.get("serviceAccount") if isinstance(template, dict) else None
    return account if isinstance(account, str) else ""


def _change(  # noqa: PLR0917 - the parts of one sentence
    stack: str,
    step: PlannedStep,
    effect: Effect,
    member: str,
    role: str,
    on: tuple[str, str],
    why: str,
) -> AccessChange:
    kind, words = on
    risk, flags = assess(member, role, words, effect)
    return AccessChange(
        stack=stack,
        effect=effect,
        member=member,
        role=role,
        on=words,
        kind=kind,
        why=why,
        risk=risk,
        flags=flags,
        repairs_drift=step.repairs_drift,
        urn=step.urn,
    )
