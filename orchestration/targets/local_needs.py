"""What a rehearsal on this machine needs: little, and no account."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from architecture.model import Architecture
from orchestration.automation.engines import EngineName, choose_engine
from orchestration.errors import ConductorError
from orchestration.targets import cloud_needs, machine_needs
from orchestration.targets.builders import Builder
from orchestration.targets.cloud_reads import CloudReads
from orchestration.targets.local import LOCAL_DEPLOYER, LocalTarget
from orchestration.targets.prerequisite import Prerequisite, Seen, missing, ok

CLOUD = "local cloud"


def local_prerequisites(
    target: LocalTarget, architecture: Architecture, project_dir: Path, engine: EngineName
) -> Iterator[Prerequisite]:
    """Yield everything that a run on a local cloud needs."""
    if engine is EngineName.PULUMI:
        yield from machine_needs.real_engine("--engine pulumi asks for it")
        yield machine_needs.program(project_dir)
    else:
        yield _embedded()
    yield _builder(target.builder)
    yield from machine_needs.sources(architecture)
    reads = _reads(target)
    yield Prerequisite(
        CLOUD,
        "the local cloud",
        "Google's APIs on loopback; no account, project, billing or credentials are needed",
        f"conductor cloud start --env {target.environment.name}",
        lambda: ok("runs" if reads is not None else "phase 1 starts it"),
    )
    blind = "the local cloud does not run"
    if reads is None:
        yield Prerequisite(
            cloud_needs.ROLES,
            LOCAL_DEPLOYER,
            "who runs this command is the local cloud's owner",
            f"conductor cloud start --env {target.environment.name}",
            lambda: ok("owner of everything in it"),
        )
    else:
        yield from cloud_needs.roles(architecture, reads, lambda: target.deployer, blind=blind)
    yield from cloud_needs.secrets(architecture, target.environment.name, reads, blind=blind)


def _embedded() -> Prerequisite:
    def look() -> Seen:
        return ok(f"embedded, speaks as pulumi {choose_engine(EngineName.EMBEDDED).version}")

    return Prerequisite(
        machine_needs.MACHINE,
        "the embedded engine",
        "it drives the stacks, and comes with this project",
        "make install",
        look,
    )


def _builder(builder: Builder) -> Prerequisite:
    def look() -> Seen:
        try:
            builder.require()
        except ConductorError as error:
            return missing(error.message)
        return ok(f"docker at {builder.daemon}" if builder.daemon else "assembled without docker")

    return Prerequisite(
        machine_needs.MACHINE,
        "a builder of images",
        "every service with sources gets an image",
        "conductor up … --builder assemble",
        look,
    )


def _reads(target: LocalTarget) -> CloudReads | None:
    """Make what reads the local cloud; None when it does not run."""
    if not target.is_running:
        return None
    return CloudReads(target.endpoints(), target.access_token, target.project_id)
