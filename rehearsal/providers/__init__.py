"""Resource providers for the embedded engine: the gcp and docker types that our stacks use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rehearsal.engine.provider import Provider, ProviderFactory


def _gcp() -> Provider:
    from rehearsal.providers.gcp.provider import GcpProvider  # noqa: PLC0415 - only when used.

    return GcpProvider()


def _docker() -> Provider:
    from rehearsal.providers.docker.provider import DockerProvider  # noqa: PLC0415 - as above.

    return DockerProvider()


PROVIDERS: Final[Mapping[str, ProviderFactory]] = {"docker": _docker, "gcp": _gcp}
