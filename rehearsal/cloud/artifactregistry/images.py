"""Container images: manifests in the store, blobs as files by digest.

Pushing and pulling over HTTP is `rehearsal.cloud.artifactregistry.registry`'s matter; running an
image is Cloud Run's.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.store import Store

_MANIFESTS: Final = "artifactregistry.manifests"
_TAGS: Final = "artifactregistry.tags"
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
# host[:port]/project/repository/image[:tag][@digest]
_REFERENCE: Final = re.compile(
    r"[^/@]+/(?P<name>[^/@:]+/[^/@:]+/[^@:]+)(:(?P<tag>[\w][\w.-]{0,127}))?"
    r"(@(?P<digest>sha256:[0-9a-f]{64}))?"
)


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest as it was pushed."""

    digest: str
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class ImageManifest:
    """What it takes to run an image.

    Attributes:
        digest: The manifest's digest.
        config: The image's configuration document.
        layers: The digests of the layers' blobs, lowest first.
    """

    digest: str
    config: JsonObject
    layers: tuple[str, ...]


class Images:
    """All images, by `<project>/<repository>/<image>`."""

    def __init__(self, store: Store, blobs_dir: Path) -> None:
        blobs_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._store = store
        self.blobs_dir = blobs_dir

    def resolve(self, reference: str) -> ImageManifest | None:
        """Find the image of a full reference (host, name, tag or digest), if it was pushed."""
        match = _REFERENCE.fullmatch(reference)
        if match is None:
            return None
        manifest = self.manifest(match["name"], match["digest"] or match["tag"] or "latest")
        if manifest is None:
            return None
        body = json.loads(manifest.content)
        if "manifests" in body:
            platform = _runnable(body["manifests"])
            return None if platform is None else self.resolve(f"index/{match['name']}@{platform}")
        config = self.blob_path(body["config"]["digest"])
        return ImageManifest(
            digest=manifest.digest,
            config=json.loads(config.read_bytes()),
            layers=tuple(layer["digest"] for layer in body["layers"]),
        )

    def has_blob(self, digest: str) -> bool:
        """Tell whether a blob was pushed; what is no digest never was."""
        return is_digest(digest) and self.blob_path(digest).exists()

    def blob_path(self, digest: str) -> Path:
        """Where a blob's bytes are, if it was pushed."""
        if not is_digest(digest):
            raise ValueError(f"{digest!r} is no digest")
        return self.blobs_dir / digest.replace(":", "-")

    def manifest(self, name: str, tag_or_digest: str) -> Manifest | None:
        """Return a manifest of an image by tag or digest."""
        digest = tag_or_digest
        if not is_digest(tag_or_digest):
            tag = self._store.get(_TAGS, f"{name}:{tag_or_digest}")
            if tag is None:
                return None
            digest = tag["digest"]
        body = self._store.get(_MANIFESTS, f"{name}@{digest}")
        if body is None:
            return None
        return Manifest(digest, body["mediaType"], body["content"].encode())

    def put_manifest(self, name: str, tag_or_digest: str, media_type: str, content: bytes) -> str:
        """Store a manifest and return its digest."""
        digest = digest_of(content)
        body = {"mediaType": media_type, "content": content.decode()}
        self._store.put(_MANIFESTS, f"{name}@{digest}", body)
        if not is_digest(tag_or_digest):
            self._store.put(_TAGS, f"{name}:{tag_or_digest}", {"digest": digest})
        return digest

    def tags(self, name: str) -> list[str]:
        """The tags of an image, by name."""
        return [tag.rpartition(":")[2] for tag, _ in self._store.items(_TAGS, f"{name}:")]

    def delete_manifest(self, name: str, digest: str) -> bool:
        """Remove a manifest and its tags; tell whether it was there."""
        tags = [t for t, body in self._store.items(_TAGS, f"{name}:") if body["digest"] == digest]
        self._store.delete_many(_TAGS, tags)
        return self._store.delete(_MANIFESTS, f"{name}@{digest}")

    def delete_repository(self, repository: str) -> None:
        """Remove every image of `<project>/<repository>`; blobs may be others' too and stay."""
        for kind in (_MANIFESTS, _TAGS):
            names = [name for name, _ in self._store.items(kind, f"{repository}/")]
            self._store.delete_many(kind, names)


def _runnable(manifests: Sequence[JsonObject]) -> str | None:
    """The image for Linux among the manifests of an index; attestations are for no platform."""
    for manifest in manifests:
        if manifest.get("platform", {}).get("os", "linux") == "linux":
            return str(manifest["digest"])
    return None


def is_digest(text: str) -> bool:
    """Tell whether the text is a SHA-256 digest as registries write it."""
    return _DIGEST.fullmatch(text) is not None


def digest_of(content: bytes) -> str:
    """The digest of some bytes."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
