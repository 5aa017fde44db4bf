"""Builds images with a docker daemon, as pulumi-docker does: from the Dockerfile, by its API."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from rehearsal.docker_engine import DockerEngine, DockerError, registry_auth
from rehearsal.engine.provider import ProviderError
from rehearsal.providers.docker.builders import BuildPlan
from rehearsal.providers.docker.contexts import (
    IGNORE_FILE,
    BuildContext,
    BuildError,
    read_context,
)
from rehearsal.providers.docker.oci import pack
from rehearsal.providers.docker.registry import Registry

# What a failed step printed last says more than its exit code.
_OUTPUT_LINES: Final = 10
_DAEMON_WORDS: Final = (" --->", "Removing intermediate container ")


class DaemonBuilder:
    """Builds through the docker daemon of a host such as `unix:///var/run/docker.sock`."""

    def __init__(self, host: str) -> None:
        self._host = host

    def stamp(self, context: BuildContext) -> str:
        """Return another digest than without docker: the same context gives another image."""
        return hashlib.sha256(f"docker {context.digest}".encode()).hexdigest()

    async def foresee(self, plan: BuildPlan) -> str:
        """Return nothing: an image's digest follows from its push."""
        del plan
        return ""

    async def publish(self, plan: BuildPlan, registry: Registry, *, is_pushed: bool) -> str:
        """Build the image under its name and push it from the daemon."""
        content = await asyncio.to_thread(_packed, plan)
        try:
            async with DockerEngine(self._host) as engine:
                image_id = await _build(engine, plan, content)
                return await _push(engine, plan, registry) if is_pushed else image_id
        except DockerError as error:
            raise ProviderError(str(error)) from error


def _packed(plan: BuildPlan) -> bytes:
    # The daemon needs these two even where `.dockerignore` keeps them out of the image.
    context = read_context(plan.context, kept=(plan.dockerfile, IGNORE_FILE))
    if context.file(plan.dockerfile) is None:
        raise BuildError(f"there is no {plan.dockerfile} in the build context {plan.context}")
    return pack(context)


async def _build(engine: DockerEngine, plan: BuildPlan, content: bytes) -> str:
    """Build an image and return its id."""
    step, image_id = "", ""
    printed: deque[str] = deque(maxlen=_OUTPUT_LINES)
    async for report in engine.progress(
        "/build",
        query=_query(plan),
        data=content,
        headers={"Content-Type": "application/x-tar"},
    ):
        if (problem := report.get("error")) is not None:
            raise _failure(step, str(problem), printed)
        line = str(report.get("stream", "")).rstrip()
        if line.startswith("Step "):
            step = line.partition(" : ")[2]
            printed.clear()
        elif line.strip() and not line.startswith(_DAEMON_WORDS):
            printed.append(line)
        image_id = _aux(report).get("ID", image_id)
    if not image_id:
        raise BuildError("the docker daemon ended the build without an image")
    return image_id


def _query(plan: BuildPlan) -> dict[str, str]:
    query = {
        "t": _tagged(plan),
        "dockerfile": plan.dockerfile,
        "platform": plan.platform,
        "buildargs": json.dumps(dict(plan.arguments)),
        "cachefrom": json.dumps(list(plan.cache_from)),
        "forcerm": "1",
    }
    if plan.target:
        query["target"] = plan.target
    if plan.network:
        query["networkmode"] = plan.network
    if plan.extra_hosts:
        query["extrahosts"] = ",".join(plan.extra_hosts)
    return query


def _failure(step: str, problem: str, printed: deque[str]) -> BuildError:
    words = " ".join(problem.split())
    if step.startswith("FROM "):
        base = step.split()[1]
        return BuildError(
            f"the base image {base} is not here and cannot be pulled: {words}; load it into the "
            "daemon, or build without docker (--builder assemble)"
        )
    return BuildError("\n".join([f"step {step!r} failed: {words}", *printed]))


async def _push(engine: DockerEngine, plan: BuildPlan, registry: Registry) -> str:
    """Push an image and return the digest that it has in the registry."""
    digest = ""
    reference = plan.reference
    async for report in engine.progress(
        f"/images/{reference.repository}/push",
        query={"tag": reference.tag},
        headers=registry_auth(registry.username, registry.password, reference.host),
    ):
        if (problem := report.get("error")) is not None:
            raise ProviderError(f"the docker daemon could not push {_tagged(plan)}: {problem}")
        digest = _aux(report).get("Digest", digest)
    if not digest:
        raise ProviderError(f"the docker daemon pushed {_tagged(plan)} without giving a digest")
    return digest


def _aux(report: Mapping[str, Any]) -> Mapping[str, str]:
    aux = report.get("aux")
    return aux if isinstance(aux, dict) else {}


def _tagged(plan: BuildPlan) -> str:
    return f"{plan.reference.repository}:{plan.reference.tag}"
