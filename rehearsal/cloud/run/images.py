"""Images of revisions: what each starts, and whether as a process or in a container.

An image that was assembled without docker has no system of its own. Its files become a folder,
unpacked once by digest, and what its configuration starts runs there as an ordinary process. An
image that was built of a Dockerfile tells so by its history, and runs as a container.
"""

import asyncio
import re
import shutil
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from rehearsal.cloud.artifactregistry.images import ImageManifest, Images
from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.run import failures

# Where the name within a registry ends: a tag or a digest begins.
_NAME_END = re.compile("[:@]")


@dataclass(frozen=True, slots=True)
class Program:
    """What an image starts."""

    argv: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ContainerImage:
    """An image of the local registry to run as a container, and what overrides its own words."""

    name: str
    digest: str
    command: tuple[str, ...]
    arguments: tuple[str, ...]
    workdir: str


class ImageFiles:
    """The unpacked images of one local cloud."""

    def __init__(self, images: Images, folder: Path) -> None:
        self._images = images
        self._folder = folder
        self._locks: dict[str, asyncio.Lock] = {}

    async def program(self, container: JsonObject, revision: str) -> Program | ContainerImage:
        """Return what a revision starts, unpacking its image first where needed.

        Raises:
            ApiError: the image does not exist, or says not what to start.
        """
        reference = container["image"]
        image = self._images.resolve(reference)
        if image is None:
            raise failures.image_missing(revision, reference)
        if image.config.get("history"):
            return ContainerImage(
                name=_NAME_END.split(reference.partition("/")[2], maxsplit=1)[0],
                digest=image.digest,
                command=tuple(container.get("command") or ()),
                arguments=tuple(container.get("args") or ()),
                workdir=container.get("workingDir") or "",
            )
        root = self._folder / image.digest.replace(":", "-")
        async with self._locks.setdefault(image.digest, asyncio.Lock()):
            if not root.exists():
                await asyncio.to_thread(self._unpack, image, root)
        return _program(container, image.config.get("config") or {}, root, revision)

    def _unpack(self, image: ImageManifest, root: Path) -> None:
        """Unpack every layer beside the target, then rename: an image is whole or absent."""
        self._folder.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=self._folder, prefix="unpacking-"))
        try:
            for digest in image.layers:
                with tarfile.open(self._images.blob_path(digest)) as layer:
                    layer.extractall(draft, filter="data")
            draft.rename(root)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def _program(container: JsonObject, config: JsonObject, root: Path, revision: str) -> Program:
    entrypoint: Sequence[str] = container.get("command") or config.get("Entrypoint") or ()
    # As with docker: a command of its own also drops the image's arguments.
    default_arguments = () if container.get("command") else config.get("Cmd") or ()
    arguments: Sequence[str] = container.get("args") or default_arguments
    argv = (*entrypoint, *arguments)
    if not argv:
        raise failures.no_command(revision, container["image"])
    workdir = PurePosixPath(container.get("workingDir") or config.get("WorkingDir") or "/")
    environment = dict(entry.split("=", 1) for entry in config.get("Env") or () if "=" in entry)
    # The image's own search path names folders of a container.
    environment.pop("PATH", None)
    return Program(argv, root / workdir.relative_to(workdir.anchor), environment)
