"""What holds for every method of every vendored discovery document."""

from __future__ import annotations

import re
from typing import Any

from rehearsal.cloud.discovery.documents import Method, Routes
from rehearsal.cloud.registry import all_handlers, all_requirements

# Google asks for no permission: testing tells what the caller has, predefined roles and permissions
# are public, and of projects everybody gets those that he may see.
_OPEN = re.compile(
    r".*\.testIamPermissions|iam\.roles\.get|iam\.permissions\.queryTestablePermissions|.*resourcemanager\.projects\.(list|search)"
)


def _address(method: Method) -> str:
    """A path that fits a method, of our project wherever a project is named."""
    words = [segment.literal or f"local-proj{segment.verb}" for segment in method.segments]
    return "/".join(["", method.api.prefix, *words])


def _methods() -> list[Method]:
    return [method for api in Routes().apis for method in api.methods]


def test_what_is_not_modelled_says_so_by_name(local_cloud: Any) -> None:
    """Every other method of Google's answers 400 FAILED_PRECONDITION, never a made-up success."""
    modelled = all_handlers(local_cloud.cloud)
    asked = 0
    routes = Routes()
    for method in _methods():
        found = routes.find(method.http_method, _address(method))
        assert found is not None, method.id
        # Versions of a method may share a path; then either's name is right.
        if method.id in modelled or found[0].id in modelled:
            continue
        answer = local_cloud.deployer.request(method.http_method, _address(method))
        assert answer.status_code == 400, (method.id, answer.text)
        error = answer.json()["error"]
        assert error["status"] == "FAILED_PRECONDITION"
        assert error["message"] == f"not implemented in the local cloud: {found[0].id}"
        asked += 1
    assert asked > 500


def test_every_modelled_method_requires_its_permission(local_cloud: Any) -> None:
    """A stranger is refused with the permission's name, and nobody at all with 401."""
    local_cloud.enable(*{method.api.name for method in _methods()})
    modelled, requirements = all_handlers(local_cloud.cloud), all_requirements()
    assert all(_OPEN.fullmatch(name) for name in set(modelled) - set(requirements))
    stranger, nobody = local_cloud.client("user:stranger@local.test"), local_cloud.client()
    routes = Routes()
    for method in _methods():
        found = routes.find(method.http_method, _address(method))
        if found is None or found[0].id != method.id or method.id not in requirements:
            continue
        query = {
            name: "local-proj"
            for name, parameter in method.parameters.items()
            if parameter.get("required") and parameter["location"] == "query"
        }
        request = (method.http_method, _address(method))
        refused = stranger.request(*request, params=query)
        assert refused.status_code == 403, (method.id, refused.text)
        (details,) = refused.json()["error"]["details"]
        assert details["metadata"]["permission"] == requirements[method.id].permission
        assert nobody.request(*request, params=query).status_code == 401, method.id
