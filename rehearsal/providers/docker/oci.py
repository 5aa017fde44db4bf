"""OCI images made of a build context: one layer, and bytes that depend on nothing else."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from rehearsal.providers.docker.contexts import BuildContext, ContextFile

MANIFEST_TYPE: Final = "application/vnd.oci.image.manifest.v1+json"
_CONFIG_TYPE: Final = "application/vnd.oci.image.config.v1+json"
_LAYER_TYPE: Final = "application/vnd.oci.image.layer.v1.tar+gzip"
_WORKSPACE: Final = "workspace"
_DEFAULT_PLATFORM: Final = "linux/amd64"


@dataclass(frozen=True, slots=True)
class Blob:
    """A piece of an image, named by its digest."""

    content: bytes
    media_type: str

    @property
    def digest(self) -> str:
        """The digest, as registries write it."""
        return f"sha256:{hashlib.sha256(self.content).hexdigest()}"

    def descriptor(self) -> dict[str, str | int]:
        """Return how a manifest refers to the blob."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.content)}


@dataclass(frozen=True, slots=True)
class Image:
    """An image: its manifest and the blobs that the manifest names."""

    manifest: Blob
    blobs: tuple[Blob, ...]

    @property
    def digest(self) -> str:
        """The image's digest."""
        return self.manifest.digest


def assemble(context: BuildContext, platform: str = "") -> Image:
    """Make an image of a context.

    Raises:
        BuildError: nothing says how to start it, or a source file does not compile.
    """
    command = context.start_command()
    context.check_sources()
    tar = pack(context, _WORKSPACE)
    layer = Blob(_compressed(tar), _LAYER_TYPE)
    system, _, architecture = (platform or _DEFAULT_PLATFORM).partition("/")
    config = _json_blob(
        {
            "architecture": architecture.partition("/")[0],
            "os": system,
            "config": {"WorkingDir": f"/{_WORKSPACE}", "Cmd": list(command), "Env": []},
            "rootfs": {
                "type": "layers",
                "diff_ids": [f"sha256:{hashlib.sha256(tar).hexdigest()}"],
            },
        },
        _CONFIG_TYPE,
    )
    manifest = _json_blob(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": config.descriptor(),
            "layers": [layer.descriptor()],
        },
        MANIFEST_TYPE,
    )
    return Image(manifest, (config, layer))


def _json_blob(content: object, media_type: str) -> Blob:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return Blob(text.encode(), media_type)


def _compressed(content: bytes) -> bytes:
    return gzip.compress(content, compresslevel=6, mtime=0)


def pack(context: BuildContext, folder: str = "") -> bytes:
    """Pack a context's files as a tar archive below a folder; equal contexts give equal bytes."""
    root = PurePosixPath(folder)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in _folders(context, root):
            archive.addfile(_entry(f"{path}/", tarfile.DIRTYPE, 0o755))
        for file in context.files:
            archive.addfile(_file_entry(file, root), io.BytesIO(file.content))
    return buffer.getvalue()


def _folders(context: BuildContext, root: PurePosixPath) -> list[str]:
    found = {root}
    for file in context.files:
        found.update(root / parent for parent in file.path.parents)
    return sorted(str(folder) for folder in found if folder.parts)


def _file_entry(file: ContextFile, root: PurePosixPath) -> tarfile.TarInfo:
    name = str(root / file.path)
    if file.link:
        entry = _entry(name, tarfile.SYMTYPE, 0o777)
        entry.linkname = file.link
        return entry
    entry = _entry(name, tarfile.REGTYPE, 0o755 if file.is_executable else 0o644)
    entry.size = len(file.content)
    return entry


def _entry(name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    """Make an entry without times and owners, so that equal contexts give equal layers."""
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.mtime = kind, mode, 0
    return entry
