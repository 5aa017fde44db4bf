"""Resumable uploads: sessions that outlive connections and restarts.

What has arrived is in a file from the moment it arrived; the session's record is in the store.
Requests and answers are `media`'s matter. See "Resumable uploads" in Cloud Storage's documentation.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.errors import ApiError, invalid_argument, not_found
from rehearsal.cloud.storage.objects import Objects

if TYPE_CHECKING:
    from rehearsal.cloud.local_cloud import LocalCloud

_SESSIONS: Final = "storage.uploads"
# All but the last piece of a content come in multiples of this.
GRAIN_BYTES: Final = 256 * 1024
_LIFETIME_S: Final = 7 * 86_400.0
_RANGE: Final = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")


@dataclass(frozen=True, slots=True)
class Range:
    """What of a content a request carries.

    Attributes:
        start: The first byte's position; None for a request without content.
        end: The position behind the last byte; None where it is not said.
        total: The content's size; None while it is not known.
    """

    start: int | None
    end: int | None
    total: int | None

    @classmethod
    def of(cls, header: str | None) -> Range:
        """Read `Content-Range`; without one the request carries everything.

        Raises:
            ApiError: 400.
        """
        if header is None:
            return cls(0, None, None)
        found = _RANGE.fullmatch(header.strip())
        if found is None:
            raise invalid_argument(f"Failed to parse Content-Range header: {header}")
        first, last, total = found.groups()
        start, end = (int(first), int(last) + 1) if first is not None else (None, None)
        size = None if total == "*" else int(total)
        if start is not None and end is not None and (end <= start or (size or end) < end):
            raise invalid_argument(f"Invalid Content-Range header: {header}")
        return cls(start, end, size)


@dataclass(frozen=True, slots=True)
class Session:
    """An upload under way, or done.

    Attributes:
        upload_id: Its secret name; who has it needs no other token.
        bucket: Where the object will be.
        name: What it will be called.
        principal: Who began the upload.
        given: The object's metadata as sent at the beginning.
        query: The parameters of the request that began it, its conditions among them.
        size: The content's size as announced, if it was.
        file: What has arrived.
        resource: The object, once it is there.
        is_cancelled: It was given up by its owner.
    """

    upload_id: str
    bucket: str
    name: str
    principal: str
    given: JsonObject
    query: dict[str, str]
    size: int | None
    file: str
    resource: JsonObject | None
    is_cancelled: bool
    began_at: float


class Uploads:
    """All resumable uploads of one local cloud."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._clock = cloud.clock
        self._store = cloud.store
        self._objects = cloud.part(Objects)
        self._contents = self._objects.contents
        self._forget_expired()
        files = {body["file"] for _, body in self._store.items(_SESSIONS)}
        self._contents.keep_only(files | self._objects.files())

    def begin(
        self,
        bucket: str,
        name: str,
        *,
        principal: str,
        given: JsonObject,
        query: dict[str, str],
        size: int | None,
    ) -> Session:
        """Begin an upload.

        Raises:
            ApiError: 400, 403, 404 or 412; the object could not be written.
        """
        self._objects.check_writable(bucket, name, given, query)
        session = Session(
            upload_id=secrets.token_urlsafe(48),
            bucket=bucket,
            name=name,
            principal=principal,
            given=given,
            query=query,
            size=size,
            file=self._contents.new_file(),
            resource=None,
            is_cancelled=False,
            began_at=self._clock(),
        )
        self._save(session)
        return session

    def get(self, upload_id: str) -> Session:
        """Return a session.

        Raises:
            ApiError: 404; 410 for one that expired, 499 for one that was cancelled.
        """
        body = self._store.get(_SESSIONS, upload_id)
        if body is None:
            raise not_found("Not Found")
        session = Session(upload_id=upload_id, **body)
        if session.is_cancelled:
            raise ApiError(499, "CANCELLED", "The upload was cancelled.")
        if self._clock() - session.began_at > _LIFETIME_S:
            raise ApiError(410, "NOT_FOUND", "The upload session has expired.", reason="gone")
        if session.resource is None and not self._contents.path(session.file).exists():
            raise not_found("Not Found")
        return session

    def arrived(self, session: Session) -> int:
        """Return how many bytes of a content are kept: whole grains, until it is complete."""
        size = self._contents.path(session.file).stat().st_size
        return size - size % GRAIN_BYTES

    async def receive(
        self, session: Session, part: Range, pieces: AsyncIterator[bytes]
    ) -> JsonObject | None:
        """Take in a part of a content; return the object when that was the last one.

        Raises:
            ApiError: 400 for a part that does not fit; or the object cannot be written.
        """
        kept = self.arrived(session)
        total = part.total if part.total is not None else session.size
        if session.size is not None and part.total not in {None, session.size}:
            raise invalid_argument(
                f"Invalid request. The total {part.total} of the Content-Range header is not the"
                f" X-Upload-Content-Length {session.size} of the upload's beginning."
            )
        if part.start is None:
            return self._finish(session, kept) if part.total == kept else None
        if part.start > kept:
            raise invalid_argument(
                f"Invalid request. According to the Content-Range header, the upload offset is"
                f" {part.start} byte(s), which exceeds already uploaded size of {kept} byte(s)."
            )
        end = await self._append(session, part.start, kept, pieces)
        if part.end is not None and part.end != end:
            raise invalid_argument(
                f"Invalid request. There were {end - part.start} byte(s) in the request body. There"
                f" should have been {part.end - part.start} byte(s) according to the Content-Range"
                " header."
            )
        is_last = part.total == end if part.end is not None else True
        if is_last and total is not None and total != end:
            raise invalid_argument(
                f"Invalid request. The upload has {end} byte(s), but {total} were announced."
            )
        if is_last:
            return self._finish(session, end)
        if end - part.start < GRAIN_BYTES:
            raise invalid_argument(
                "Invalid request. The number of bytes uploaded is required to be equal or greater"
                f" than {GRAIN_BYTES}, except for the final request (it's recommended to be the"
                f" exact multiple of {GRAIN_BYTES}). The received request contained"
                f" {end - part.start} bytes, which does not meet this requirement."
            )
        return None

    def cancel(self, session: Session) -> None:
        """Give an upload up; what is complete already stays."""
        if session.resource is None:
            self._contents.remove(session.file)
            self._save(session, is_cancelled=True)

    async def _append(
        self, session: Session, start: int, kept: int, pieces: AsyncIterator[bytes]
    ) -> int:
        """Write what comes after the bytes that are kept; return where it ends.

        A connection that breaks leaves in the file what had arrived.
        """
        position = start
        with self._contents.path(session.file).open("r+b") as file:
            file.truncate(kept)
            file.seek(kept)
            async for piece in pieces:
                # What is there already may be sent again.
                file.write(piece[max(0, kept - position) :])
                file.flush()
                position += len(piece)
        return position

    def _finish(self, session: Session, size: int) -> JsonObject:
        with self._contents.path(session.file).open("r+b") as file:
            file.truncate(size)
        # From here on the file is the object's: a session that a killed process leaves is lost.
        content = self._contents.sealed(self._contents.renamed(session.file))
        try:
            resource = self._objects.put(
                session.bucket, session.name, content, session.given, session.query
            )
        except ApiError:
            # The content is gone, so the session is of no use any more.
            self._store.delete(_SESSIONS, session.upload_id)
            raise
        self._save(session, resource=resource)
        return resource

    def _save(
        self, session: Session, *, resource: JsonObject | None = None, is_cancelled: bool = False
    ) -> None:
        body: JsonObject = {
            "bucket": session.bucket,
            "name": session.name,
            "principal": session.principal,
            "given": session.given,
            "query": session.query,
            "size": session.size,
            "file": session.file,
            "resource": resource,
            "is_cancelled": is_cancelled,
            "began_at": session.began_at,
        }
        self._store.put(_SESSIONS, session.upload_id, body)

    def _forget_expired(self) -> None:
        """Drop sessions that ended long ago; until then they are told from unknown ones."""
        horizon = self._clock() - 2 * _LIFETIME_S
        old = [key for key, body in self._store.items(_SESSIONS) if body["began_at"] < horizon]
        self._store.delete_many(_SESSIONS, old)
