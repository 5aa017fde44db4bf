"""What builds images: without docker here, through a daemon in `daemon`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rehearsal.providers.docker.contexts import BuildContext, read_context
from rehearsal.providers.docker.oci import Image, assemble
from rehearsal.providers.docker.registry import Reference, Registry


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """One image to build: its name, its context, and what the build is told."""

    reference: Reference
    context: Path
    dockerfile: str
    platform: str
    arguments: Mapping[str, str]
    target: str = ""
    network: str = ""
    extra_hosts: tuple[str, ...] = ()
    cache_from: tuple[str, ...] = ()


class ImageBuilder(Protocol):
    """Makes images of build contexts."""

    def stamp(self, context: BuildContext) -> str:
        """Return what changes whenever the image must be built again."""
        ...

    async def foresee(self, plan: BuildPlan) -> str:
        """Return the digest that building will give, empty when only building tells.

        Raises:
            BuildError: the context cannot become an image.
        """
        ...

    async def publish(self, plan: BuildPlan, registry: Registry, *, is_pushed: bool) -> str:
        """Build the image, push it if asked to, and return its digest.

        Raises:
            BuildError: the context cannot become an image.
            ProviderError: the registry or the daemon refused.
        """
        ...


class AssemblingBuilder:
    """Builds without a docker daemon: the context becomes the image's only layer."""

    def stamp(self, context: BuildContext) -> str:
        """Return the context's digest: nothing else goes into the image."""
        return context.digest

    async def foresee(self, plan: BuildPlan) -> str:
        """Assemble the image: equal contexts give equal bytes."""
        return (await self._assemble(plan)).digest

    async def publish(self, plan: BuildPlan, registry: Registry, *, is_pushed: bool) -> str:
        """Assemble the image and push it."""
        image = await self._assemble(plan)
        if is_pushed:
            await registry.push(plan.reference, image)
        return image.digest

    async def _assemble(self, plan: BuildPlan) -> Image:
        return await asyncio.to_thread(lambda: assemble(read_context(plan.context), plan.platform))
