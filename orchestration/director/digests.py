"""Digests by which conductor and director make sure that they mean the same thing."""

from __future__ import annotations

import hashlib
from pathlib import Path

PROGRAM_VARIABLE = "CONDUCTOR_PROGRAM_SHA256"
# What a stack's resources depend on: the program and the libraries it is made of.
PROGRAM_FOLDERS = ("architecture", "components", "stacks")


def file_digest(path: Path) -> str:
    """Give the SHA-256 of a file; empty when there is none."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return ""


def program_digest(project_dir: Path) -> str:
    """Give one SHA-256 of the Pulumi program's sources, independent of where they lie."""
    digest = hashlib.sha256()
    for folder in PROGRAM_FOLDERS:
        root = (project_dir / folder).resolve()
        for path in sorted(root.rglob("*.py")):
            digest.update(f"{folder}/{path.relative_to(root).as_posix()}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
