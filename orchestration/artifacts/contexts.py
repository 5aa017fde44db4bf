"""Build contexts: what an image is built from, the same bytes for the same sources.

A context is a copy of a service's folder without what `.dockerignore` leaves out, with the
generated files placed in it and all times set to one value. A copy, because the user's source tree
is not ours to write to.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pathspec

from architecture.model import Deployment, Service
from orchestration.artifacts.generator import FILE_NAME
from orchestration.errors import UsageError

IGNORE_FILE = ".dockerignore"
# Never part of an image, whatever `.dockerignore` says: caches differ from machine to machine.
ALWAYS_IGNORED = ("__pycache__/", "*.pyc", ".git/", ".pytest_cache/", ".venv/")
# 1 January 1980, the earliest time that every archive format can hold.
CONTEXT_TIME = 315532800


@dataclass(frozen=True, slots=True)
class ServiceSource:
    """Where a service's code lies, and which of its files go elsewhere in the context."""

    name: str
    folder: Path
    templates: Mapping[str, str]  # source path -> destination inside the context


def source_of(service: Service) -> ServiceSource | None:
    """Find a service's folder; None when it has no deployment.

    Raises:
        UsageError: the folder does not exist.
    """
    deployment = service.deployment
    if deployment is None:
        return None
    folder = source_folder(deployment)
    if not folder.is_dir():
        raise UsageError(
            f"service {service.name}: its source folder {folder} does not exist",
            hint="correct `source_path`, replace every one with --source-root DIR, or have"
            " something stand in for it with --placeholders",
        )
    return ServiceSource(service.name, folder, dict(deployment.config_templates or {}))


def source_folder(deployment: Deployment) -> Path:
    """Say where a service's code should be, whether it is there or not."""
    return Path(deployment.source_path) / (deployment.buildable_module_path or ".")


class BuildContexts:
    """The build contexts of one environment: `FOLDER/SERVICE`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, service: str) -> Path:
        """The context of one service."""
        return self._folder / service

    def prepare(self, source: ServiceSource, resources_file: Path) -> Path:
        """Make or renew a service's context.

        Raises:
            UsageError: a config template is neither where it is said to be nor in the folder.
        """
        wanted = dict(files_of(source.folder))
        wanted[FILE_NAME] = resources_file
        wanted |= template_files(source)
        return self.place(source.name, wanted)

    def place(self, service: str, wanted: Mapping[str, Path]) -> Path:
        """Make or renew a context of these files, by their places in it; nothing else stays."""
        context = self.path(service)
        for relative, origin in wanted.items():
            _place(origin, context / relative)
        for path in sorted(context.rglob("*"), reverse=True):
            if path.is_dir() and not path.is_symlink():
                if not any(path.iterdir()):
                    path.rmdir()
            elif str(path.relative_to(context)) not in wanted:
                path.unlink()
        return context

    def digest(self, service: str) -> str:
        """Give one SHA-256 of a service's context: names, contents, and what is executable."""
        digest = hashlib.sha256()
        context = self.path(service)
        for path in sorted(path for path in context.rglob("*") if path.is_file()):
            mode = "x" if os.access(path, os.X_OK) else "-"
            digest.update(f"{mode} {path.relative_to(context).as_posix()}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()


def files_of(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield what of a folder belongs into an image, by its place in the folder, sorted."""
    ignore_file = folder / IGNORE_FILE
    lines = ignore_file.read_text(encoding="utf-8").splitlines() if ignore_file.is_file() else []
    ignored = pathspec.GitIgnoreSpec.from_lines([*lines, *ALWAYS_IGNORED])
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder).as_posix()
        if path.is_file() and not ignored.match_file(relative):
            yield relative, path


def template_files(source: ServiceSource) -> dict[str, Path]:
    """Find a service's config templates, by their places in the context.

    Raises:
        UsageError: one is neither where it is said to be nor in the service's folder.
    """
    return {
        destination: _template(source, template, destination)
        for template, destination in source.templates.items()
    }


def _template(source: ServiceSource, template: str, destination: str) -> Path:
    """Find a config template: where it is said to be, else in the folder by its new name."""
    for candidate in (Path(template), source.folder / template, source.folder / destination):
        if candidate.is_file():
            return candidate
    raise UsageError(
        f"service {source.name}: config template {template!r} does not exist,"
        f" nor {destination!r} in {source.folder}",
        hint=f"put {destination} into the service's folder",
    )


def _place(origin: Path, destination: Path) -> None:
    destination.parent.mkdir(parents=True, exist_ok=True)
    mode = 0o755 if os.access(origin, os.X_OK) else 0o644
    content = origin.read_bytes()
    if not destination.is_file() or destination.read_bytes() != content:
        if destination.is_dir():
            shutil.rmtree(destination)
        destination.write_bytes(content)
    destination.chmod(mode)
    os.utime(destination, (CONTEXT_TIME, CONTEXT_TIME))
