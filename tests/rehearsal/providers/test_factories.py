"""The providers are found by package, and loaded only when they are used."""

from __future__ import annotations

import subprocess
import sys

import pulumi_gcp
import pytest

from rehearsal.providers import PROVIDERS
from rehearsal.providers.docker.provider import DockerProvider
from rehearsal.providers.gcp.catalogue import RESOURCE_TYPES
from rehearsal.providers.gcp.provider import GcpProvider


def test_providers_are_made_by_package_name() -> None:
    """Each factory makes a fresh, unconfigured provider."""
    assert sorted(PROVIDERS) == ["docker", "gcp"]
    assert isinstance(PROVIDERS["gcp"](), GcpProvider)
    assert isinstance(PROVIDERS["docker"](), DockerProvider)
    assert PROVIDERS["gcp"]() is not PROVIDERS["gcp"]()


def test_importing_the_providers_loads_none_of_them() -> None:
    """A command that never touches a resource does not pay for an HTTP client."""
    program = "import sys, rehearsal.providers; print('aiohttp' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "False"


def _class_of(token: str) -> type:
    """Return the SDK's class of a resource type."""
    _, path, name = token.split(":")
    return getattr(getattr(pulumi_gcp, path.partition("/")[0]), name)  # type: ignore[no-any-return]


# The SDK warns of names of its own that have moved, as soon as their module is imported.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("token", sorted(RESOURCE_TYPES))
def test_every_type_has_the_token_and_properties_of_the_sdk(token: str) -> None:
    """No property of ours is unknown to the SDK, and none that it must be given is missing."""
    sdk = _class_of(token)
    assert sdk.pulumi_type == token  # type: ignore[attr-defined]
    known = {_camel(name) for name in vars(sdk) if not name.startswith("_")}
    ours = {field.name for field in RESOURCE_TYPES[token].fields}
    assert ours <= known, ours - known


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(other.title() for other in others)
