"""The director's ledger on Google's cloud: objects of the state bucket, each made once.

The precondition that an object does not exist yet (`ifGenerationMatch=0`) makes the first record of
a command stand, whoever else writes at the same time:
https://cloud.google.com/storage/docs/request-preconditions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from urllib.parse import quote, urlsplit

import httpx
from pydantic import ValidationError

from orchestration.director.ledger import GENERATION_FILE, file_name
from orchestration.director.messages import Completion
from orchestration.errors import CloudUnreachable
from orchestration.google_errors import gist_of
from orchestration.tls import trusted_certificates

STORAGE = "https://storage.googleapis.com"
TIMEOUT_S = 30.0


class BucketLedger:
    """A ledger below `gs://BUCKET/PREFIX`: one object per command."""

    def __init__(
        self, location: str, access_token: Callable[[], str], *, storage: str = STORAGE
    ) -> None:
        parts = urlsplit(location)
        self._bucket, self._prefix = parts.netloc, parts.path.strip("/")
        self._access_token = access_token
        self._storage = storage

    def find(self, command_id: str) -> Completion | None:
        """Read how a command ended; what cannot be read counts as none.

        Raises:
            CloudUnreachable: the bucket does not answer.
        """
        found = self._read(file_name(command_id))
        if found is None:
            return None
        try:
            return Completion.model_validate_json(found)
        except ValidationError:
            return None

    def store(self, completion: Completion) -> Completion:
        """Keep how a command ended; the first record of a command stands.

        Raises:
            CloudUnreachable: the bucket does not answer.
        """
        name, record = file_name(completion.command_id), completion.model_dump_json().encode()
        answer = self._write(name, record, {"ifGenerationMatch": "0"})
        if answer.status_code == HTTPStatus.PRECONDITION_FAILED:
            known = self.find(completion.command_id)
            if known is not None:
                return known
            # What is there is no record: a whole one takes its place.
            answer = self._write(name, record, {})
        _require(answer)
        return completion

    def generation(self) -> int:
        """Read the newest generation whose command was obeyed; 0 before the first.

        Raises:
            CloudUnreachable: the bucket does not answer.
        """
        answer = self._read(GENERATION_FILE)
        return 0 if answer is None else int(answer)

    def keep_generation(self, generation: int) -> None:
        """Keep a newer generation; the caller lets nobody else do so meanwhile.

        Raises:
            CloudUnreachable: the bucket does not answer.
        """
        _require(self._write(GENERATION_FILE, str(generation).encode(), {}))

    def _read(self, file: str) -> bytes | None:
        name = quote(f"{self._prefix}/{file}", safe="")
        answer = self._call("GET", f"storage/v1/b/{self._bucket}/o/{name}", {"alt": "media"})
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return None
        _require(answer)
        return answer.content

    def _write(self, file: str, content: bytes, condition: Mapping[str, str]) -> httpx.Response:
        query = {"uploadType": "media", "name": f"{self._prefix}/{file}", **condition}
        return self._call("POST", f"upload/storage/v1/b/{self._bucket}/o", query, content)

    def _call(
        self, method: str, path: str, query: Mapping[str, str], content: bytes | None = None
    ) -> httpx.Response:
        url = f"{self._storage}/{path}"
        headers = {"Authorization": f"Bearer {self._access_token()}"}
        if content is not None:
            headers["Content-Type"] = "application/json"
        try:
            return httpx.request(
                method,
                url,
                params=query,
                content=content,
                headers=headers,
                timeout=TIMEOUT_S,
                verify=trusted_certificates(),
            )
        except httpx.HTTPError as error:
            raise CloudUnreachable(f"the ledger at {url} does not answer: {error}") from error


def _require(answer: httpx.Response) -> None:
    if not answer.is_success:
        raise CloudUnreachable(f"the ledger answers {gist_of(answer)}")
