"""Durations, numbers and sizes must be ones that Google accepts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from architecture import durations, limits
from architecture.checks.problem import Problem, placed_services
from architecture.findings import Severity, shown
from architecture.links import Where, placed_resources
from architecture.model import (
    Architecture,
    BigQueryTable,
    CloudSchedulerJob,
    Deployment,
    Subscription,
    Topic,
)


@dataclass(frozen=True, slots=True)
class _Range:
    """Allowed lengths of time, as the file would write them."""

    shortest: str
    longest: str = ""

    def judge(self, text: str, where: Where) -> Iterator[Problem]:
        if not text:
            return
        try:
            length_s = durations.seconds(text)
        except ValueError:
            message = f"{shown(text)} is no duration"
            yield Problem("bad-duration", where, message, "for example `30s`, `10m`, `24h`, `7d`")
            return
        longest_s = durations.seconds(self.longest) if self.longest else float("inf")
        if not durations.seconds(self.shortest) <= length_s <= longest_s:
            limit = f"{self.shortest} to {self.longest}" if self.longest else self.shortest
            message = f"{shown(text)} is out of range"
            fix = f"{limit} is allowed" if self.longest else f"{limit} or more is allowed"
            yield Problem("duration-out-of-range", where, message, fix)


_SUBSCRIPTION_RETENTION: Final = _Range("10m", "7d")
_TOPIC_RETENTION: Final = _Range("10m", "31d")
_BACKOFF: Final = _Range("0s", "600s")
_EXPIRATION: Final = _Range("1h")
_PARTITION_EXPIRATION: Final = _Range("1s")


def durations_fit(arch: Architecture) -> Iterator[Problem]:
    """Durations can be read and are within Google's bounds."""
    for where, _, _, resource in placed_resources(arch):
        match resource:
            case Topic(message_retention_duration=kept):
                place = (*where, "message_retention_duration")
                yield from _TOPIC_RETENTION.judge(kept, place)
            case Subscription(message_retention_duration=kept, retry_policy=retry):
                place = (*where, "message_retention_duration")
                yield from _SUBSCRIPTION_RETENTION.judge(kept, place)
                for key in ("minimum_backoff", "maximum_backoff") if retry else ():
                    place = (*where, "retry_policy", key)
                    yield from _BACKOFF.judge(getattr(retry, key), place)
            case BigQueryTable():
                yield from _EXPIRATION.judge(resource.expiration, (*where, "expiration"))
                place = (*where, "time_partitioning_expiration")
                yield from _PARTITION_EXPIRATION.judge(resource.time_partitioning_expiration, place)


def backoffs_are_ordered(arch: Architecture) -> Iterator[Problem]:
    """A retry policy's shortest wait is not longer than its longest."""
    for where, _, _, resource in placed_resources(arch):
        if isinstance(resource, Subscription) and (retry := resource.retry_policy):
            try:
                least, most = map(
                    durations.seconds,
                    (retry.minimum_backoff or "10s", retry.maximum_backoff or "600s"),
                )
            except ValueError:
                continue  # Reported as what it is.
            if least > most:
                message = f"waits at least {least:g} s, but at most {most:g} s"
                place = (*where, "retry_policy")
                yield Problem("backoff-order", place, message, "swap `minimum` and `maximum`")


def numbers_fit(arch: Architecture) -> Iterator[Problem]:
    """Numbers of subscriptions, instances and ports are within Google's bounds."""
    for where, _, _, resource in placed_resources(arch):
        if isinstance(resource, Subscription):
            ack = resource.ack_deadline_seconds
            yield from _within(ack, limits.ACK_DEADLINE_S, (*where, "ack_deadline_seconds"))
            if dead := resource.dead_letter_policy:
                place = (*where, "dead_letter_policy", "max_delivery_attempts")
                yield from _within(dead.max_delivery_attempts, limits.DELIVERY_ATTEMPTS, place)
        for index, rule in enumerate(resource.lifecycle_rules):
            place = (*where, "lifecycle_rules", index, "condition", "age_in_days")
            yield from _within(rule.condition.age_in_days, limits.AGE_IN_DAYS, place)
    for where, service in placed_services(arch):
        if service.health_check:
            yield from _within(
                service.health_check.port, limits.PORT, (*where, "health_check", "port")
            )
        if service.deployment:
            yield from _instances(service.deployment, (*where, "deployment"))


def _instances(deployment: Deployment, where: Where) -> Iterator[Problem]:
    least, most = deployment.min_instances, deployment.max_instances
    yield from _within(least, limits.MIN_INSTANCES, (*where, "min_instances"))
    yield from _within(most, limits.MAX_INSTANCES, (*where, "max_instances"))
    if least is not None and most is not None and least > most:
        message = f"at least {least} instances, but at most {most}"
        fix = "raise `max_instances` or lower `min_instances`"
        yield Problem("instance-order", (*where, "min_instances"), message, fix)


def _within(value: int | None, allowed: tuple[int, int], where: Where) -> Iterator[Problem]:
    least, most = allowed
    if value is not None and not least <= value <= most:
        message = f"`{where[-1]}` is {value}"
        yield Problem("out-of-range", where, message, f"{least} to {most} is allowed")


def sizes_fit(arch: Architecture) -> Iterator[Problem]:
    """CPU and memory are quantities that Cloud Run reads."""
    for where, service in placed_services(arch):
        if service.deployment is None:
            continue
        cpu, memory = service.deployment.cpu, service.deployment.memory
        if cpu and not limits.CPU.fullmatch(cpu):
            message, fix = f"{shown(cpu)} is no amount of CPU", "for example `1` or `500m`"
            yield Problem("bad-cpu", (*where, "deployment", "cpu"), message, fix)
        if memory and not limits.MEMORY.fullmatch(memory):
            message, fix = f"{shown(memory)} is no amount of memory", "for example `512Mi`"
            yield Problem("bad-memory", (*where, "deployment", "memory"), message, fix)


def probe_paths(arch: Architecture) -> Iterator[Problem]:
    """A health check's path is a path."""
    for where, service in placed_services(arch):
        path = service.health_check.path if service.health_check else ""
        if path and not path.startswith("/"):
            message = f"{shown(path)} is no path"
            place = (*where, "health_check", "path")
            yield Problem("bad-health-path", place, message, f"write `/{path[:60]}`")


def pinned_secrets(arch: Architecture) -> Iterator[Problem]:
    """A secret is given with its version, or two deployments of one file can differ."""
    for where, service in placed_services(arch):
        secrets = service.deployment.secret_environment_vars if service.deployment else ()
        for index, secret in enumerate(secrets):
            place = (*where, "deployment", "secret_environment_vars", index)
            if secret.version in {"", "latest"}:
                message = f"the secret {shown(secret.value_from)} has no fixed version"
                fix = "add for example `version: 1`"
                yield Problem("unpinned-secret", place, message, fix, Severity.WARNING)
            elif not limits.SECRET_VERSION.fullmatch(secret.version):
                message = f"{shown(secret.version)} is no version of a secret"
                fix = "for example `version: 1`"
                yield Problem("bad-secret-version", (*place, "version"), message, fix)


def policy_roles(arch: Architecture) -> Iterator[Problem]:
    """Explicit policies name roles as Google does, on resources that have policies."""
    for where, _, _, resource in placed_resources(arch):
        for index, policy in enumerate(resource.iam_access_policy):
            place = (*where, "iam_access_policy", index)
            if policy.role and not limits.ROLE.fullmatch(policy.role):
                message = f"{shown(policy.role)} is no role"
                fix = "for example `roles/pubsub.viewer`"
                yield Problem("bad-role", (*place, "role"), message, fix)
            if isinstance(resource, CloudSchedulerJob):
                message = f"the schedule {shown(resource.name)} cannot have a policy of its own"
                yield Problem("policy-not-possible", place, message, "remove it")
