"""Placeholders: programs that stand in for services whose sources are not there.

A placeholder is a service like any other, with a source folder of its own, so that nothing after
this has to know of it; `metadata.placeholder` marks it in the hydrated architecture, from which the
stacks label it. What it does is in `stand_ins`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import TypeVar

from architecture import names
from architecture.grants import ResourceKind, plan_grants
from architecture.links import all_links
from architecture.model import Architecture, Service
from orchestration.artifacts.contexts import source_folder
from orchestration.environments import write_atomically

S = TypeVar("S", bound=Service)

_STAND_INS = resources.files("orchestration.artifacts.stand_ins")
MARK = "placeholder"
LINKS_FILE = "links.json"
MAIN = '''\
"""A placeholder: it stands in for a service whose sources are not there, and says so everywhere."""

import sys

from placeholder.service import main

if __name__ == "__main__":
    sys.exit(main())
'''
DOCKERFILE = """\
FROM python:3.11-slim
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOST=0.0.0.0
WORKDIR /workspace
COPY . .
USER nobody
CMD ["python", "main.py"]
"""


def with_placeholders(architecture: Architecture, folder: Path) -> Architecture:
    """Return the architecture with a placeholder for every service whose source is missing.

    Args:
        architecture: A hydrated architecture; it is not changed.
        folder: Where the placeholders' sources will be, each in a folder of its service's name.
    """

    def replaced(service: S) -> S:
        deployment = service.deployment
        if deployment is None or source_folder(deployment).is_dir():
            return service
        update = {
            "source_path": str(folder / service.name),
            "buildable_module_path": "",
            # They configure the program that is not there.
            "config_templates": {},
        }
        return service.model_copy(
            update={
                "deployment": deployment.model_copy(update=update),
                "metadata": {**service.metadata, MARK: True},
            }
        )

    flows = {
        name: flow.model_copy(
            update={"services": {key: replaced(item) for key, item in flow.services.items()}}
        )
        for name, flow in architecture.dataflows.items()
    }
    director = replaced(architecture.director)
    return architecture.model_copy(update={"service_manager_spec": director, "dataflows": flows})


def placeholders_of(architecture: Architecture, folder: Path) -> frozenset[str]:
    """Name the services whose sources are placeholders of this folder, whatever their marks say."""
    return frozenset(
        service.name
        for service in architecture.all_services()
        if service.deployment and service.deployment.source_path == str(folder / service.name)
    )


def write_placeholders(architecture: Architecture, folder: Path) -> None:
    """Write the sources of every placeholder of this folder."""
    for name in placeholders_of(architecture, folder):
        if name == architecture.director.name:
            write_atomically(folder / name / "main.py", (_STAND_INS / "director.py").read_text())
        else:
            _write_placeholder(architecture, name, folder / name)


def _write_placeholder(architecture: Architecture, service: str, folder: Path) -> None:
    """Write a placeholder's program, its links and its grants."""
    known = {
        "service": service,
        "links": list(_links(architecture, service)),
        "grants": list(_grants(architecture, service)),
    }
    write_atomically(folder / LINKS_FILE, json.dumps(known, indent=2) + "\n")
    write_atomically(folder / "Dockerfile", DOCKERFILE)
    write_atomically(folder / "main.py", MAIN)
    for module in (_STAND_INS / MARK).iterdir():
        if module.name.endswith(".py"):
            write_atomically(folder / MARK / module.name, module.read_text(encoding="utf-8"))


def placeholder_warnings(architecture: Architecture, folder: Path) -> Iterator[str]:
    """Say which services are only placeholders."""
    for name in sorted(placeholders_of(architecture, folder)):
        what = (
            "the product's own director stands in for it"
            if name == architecture.director.name
            else "a placeholder that only serves health and uses its links stands in for it"
        )
        yield f"service {name}: its source folder does not exist; {what}"


def _links(architecture: Architecture, service: str) -> Iterator[dict[str, str]]:
    for link in all_links(architecture):
        if link.mapping.name == service:
            yield {
                "kind": link.kind,
                "name": link.resource_name,
                "direction": str(link.direction),
            }


def _grants(architecture: Architecture, service: str) -> Iterator[dict[str, str]]:
    """Yield what a service's account may do on what; of a secret also which version it reads."""
    deployed = architecture.service(service)
    member = names.member(names.account_email(deployed.service_account, architecture.project_id))
    secrets = deployed.deployment.secret_environment_vars if deployed.deployment else ()
    versions = {secret.value_from: str(secret.version or "latest") for secret in secrets}
    for grant in plan_grants(architecture).all:
        on = grant.resource
        if grant.member != member:
            continue
        # An account that services share may read secrets that only the others read.
        is_secret = on.kind is ResourceKind.SECRET
        yield {
            "role": grant.role,
            "kind": str(on.kind),
            "name": on.name,
            **({"location": on.location} if on.location else {}),
            **({"version": versions.get(on.name, "latest")} if is_secret else {}),
        }
