"""The comment on a GitHub pull request, made once and replaced from then on.

A comment of ours is one whose first line is the marker and whose author is who we are. What others
wrote is never touched, whatever it begins with. Where repository and number come from is the
command's job.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, NamedTuple

import httpx
import stamina
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from orchestration.errors import UsageError
from orchestration.review.errors import GitHubRefused, GitHubUnreachable
from orchestration.tls import trusted_certificates

# As https://docs.github.com/en/rest/about-the-rest-api/api-versions asks for.
API_VERSION: Final = "2022-11-28"
# The most that GitHub gives at once.
PAGE_SIZE: Final = 100
TIMEOUT_S: Final = 30.0
# GitHub asks to wait a minute where it does not say how long, and to give up after some attempts:
# https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
LIMIT_PAUSE_S: Final = 60.0
ATTEMPTS: Final = 4
LONGEST_S: Final = 300.0
# Who comments with the token of a workflow. Such a token may not ask who it is.
ACTIONS_BOT: Final = "github-actions[bot]"
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
HINTS: Final = {
    HTTPStatus.UNAUTHORIZED: "the token is wrong or has run out; set another GITHUB_TOKEN",
    HTTPStatus.FORBIDDEN: "the token needs `pull-requests: write` on the repository",
    HTTPStatus.NOT_FOUND: "check --repo and --pull; a token that may not see a private repository"
    " is told the same",
    HTTPStatus.UNPROCESSABLE_ENTITY: "GitHub takes no such comment; the message says why",
}


class _Author(BaseModel):
    model_config = ConfigDict(frozen=True)

    login: str


class _Comment(BaseModel):
    """What we read of a comment; `user` is missing where the account is gone."""

    model_config = ConfigDict(frozen=True)

    id: int
    html_url: str
    body: str | None = None
    user: _Author | None = None


_COMMENTS: Final = TypeAdapter(list[_Comment])


class Posted(NamedTuple):
    """What became of a comment: where it is, and whether it was there before."""

    comment_id: int
    url: str
    is_new: bool


class _NotNowError(Exception):
    """GitHub wants to be asked again, after so many seconds if it says so."""

    def __init__(self, why: str, after_s: float | None) -> None:
        super().__init__(why)
        self.after_s = after_s


@dataclass(frozen=True, slots=True)
class PullRequest:
    """One pull request: `repository` is `OWNER/NAME`."""

    repository: str
    number: int


class GitHubComments:
    """Writes comments as the owner of a token.

    Args:
        api_url: GitHub's REST API, as `GITHUB_API_URL` has it.
        token: what authenticates; it is in no message.
        author: who comments with a token that may not ask who it is.

    Raises:
        UsageError: the address would carry the token in the open, or the token is none.
    """

    def __init__(self, api_url: str, token: str, *, author: str = ACTIONS_BOT) -> None:
        url = httpx.URL(api_url.rstrip("/"))
        if url.scheme != "https" and url.host not in LOOPBACK:
            raise UsageError(f"GITHUB_API_URL {api_url!r} is no https address")
        # A client would name such a token in its own error.
        if not token.isascii() or not token.isprintable() or " " in token or not token:
            raise UsageError("GITHUB_TOKEN is no token: it is empty or has blanks or line ends")
        self._token = token
        self._author = author
        self._client = httpx.Client(
            base_url=url,
            headers={
                "Authorization": f"Bearer {token}",
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": API_VERSION,
                "User-Agent": "conductor",
            },
            timeout=TIMEOUT_S,
            verify=trusted_certificates(),
        )

    def post(self, pull: PullRequest, marker: str, body: str) -> Posted:
        """Write a comment that begins with a marker, in the place of ours that does so already.

        Looking and writing are tried again together: an attempt whose answer was lost may have
        made the comment.

        Raises:
            GitHubRefused: GitHub refuses it; says with which status and why.
            GitHubUnreachable: GitHub does not answer, or only that it is busy.
        """
        try:
            for attempt in stamina.retry_context(
                on=_pause_before_retry, attempts=ATTEMPTS, timeout=LONGEST_S
            ):
                with attempt:
                    return self._post_once(pull, marker, body)
        except _NotNowError as error:
            raise GitHubUnreachable(f"GitHub does not do it now: {error}") from error
        except httpx.TransportError as error:
            raise GitHubUnreachable(
                f"GitHub at {self._client.base_url} does not answer: {self._masked(str(error))}"
            ) from error
        raise AssertionError("an attempt either returns or raises")

    def _post_once(self, pull: PullRequest, marker: str, body: str) -> Posted:
        comments = f"repos/{pull.repository}/issues/{pull.number}/comments"
        ours = self._ours(comments, marker)
        if ours is None:
            answer = self._call("POST", comments, body={"body": body})
        else:
            place = f"repos/{pull.repository}/issues/comments/{ours.id}"
            answer = self._call("PATCH", place, body={"body": body})
        try:
            written = _Comment.model_validate_json(answer.content)
        except ValidationError as error:
            raise self._unreadable(answer) from error
        return Posted(written.id, written.html_url, is_new=ours is None)

    def _ours(self, comments: str, marker: str) -> _Comment | None:
        """Find our comment; the oldest, should there be several."""
        marked = [c for c in self._listed(comments) if (c.body or "").lstrip().startswith(marker)]
        if not marked:
            return None
        author = self._me()
        return next((c for c in marked if c.user is not None and c.user.login == author), None)

    def _listed(self, comments: str) -> Iterator[_Comment]:
        """Go through all comments, page by page.

        Pages are counted here: the address that an answer names might lead elsewhere, and the token
        would go there too.
        """
        page = 1
        while True:
            answer = self._call("GET", f"{comments}?per_page={PAGE_SIZE}&page={page}")
            try:
                yield from _COMMENTS.validate_json(answer.content)
            except ValidationError as error:
                raise self._unreadable(answer) from error
            if "next" not in answer.links:
                return
            page += 1

    def _me(self) -> str:
        try:
            answer = self._call("GET", "user")
        except GitHubRefused as refused:
            if refused.status != HTTPStatus.FORBIDDEN:
                raise
            return self._author
        try:
            return _Author.model_validate_json(answer.content).login
        except ValidationError as error:
            raise self._unreadable(answer) from error

    def _call(self, method: str, path: str, body: dict[str, str] | None = None) -> httpx.Response:
        answer = self._client.request(method, path, json=body)
        if answer.is_success:
            return answer
        message = self._message(answer)
        status = answer.status_code
        if answer.is_server_error or _is_limit(answer, message):
            raise _NotNowError(f"{status} {message}", _asked_pause_s(answer))
        raise GitHubRefused(
            f"GitHub refuses to {method} {path.partition('?')[0]}: {status} {message}",
            status=status,
            hint=HINTS.get(HTTPStatus(status), ""),
        )

    def _message(self, answer: httpx.Response) -> str:
        """Give GitHub's own words and what it finds wrong, on one line."""
        try:
            said = answer.json()
            words = [said["message"], *map(_found_wrong, said.get("errors", []))]
        except (ValueError, KeyError, TypeError, AttributeError):
            words = [answer.reason_phrase]
        return self._masked(" ".join("; ".join(map(str, words)).split()))

    def _masked(self, text: str) -> str:
        return text.replace(self._token, "[token]")

    def _unreadable(self, answer: httpx.Response) -> GitHubRefused:
        return GitHubRefused(
            f"what answers at {self._client.base_url} is not GitHub's API",
            status=answer.status_code,
            hint="check GITHUB_API_URL",
        )


def _found_wrong(error: object) -> object:
    """Give the words of one of the errors that belong to a message."""
    return error.get("message", error.get("code")) if isinstance(error, dict) else error


def _is_limit(answer: httpx.Response, message: str) -> bool:
    """Say whether a refusal is about how often we asked, not about what."""
    if answer.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        return True
    return answer.status_code == HTTPStatus.FORBIDDEN and (
        "retry-after" in answer.headers
        or answer.headers.get("x-ratelimit-remaining") == "0"
        or "secondary rate limit" in message.casefold()
    )


def _asked_pause_s(answer: httpx.Response) -> float | None:
    """Say how long GitHub wants us to wait; None where the usual growing pauses do."""
    if answer.is_server_error:
        return None
    said = answer.headers.get("retry-after", "")
    return float(said) if said.isdecimal() else LIMIT_PAUSE_S


def _pause_before_retry(error: Exception) -> bool | float:
    if isinstance(error, _NotNowError):
        return True if error.after_s is None else error.after_s
    return isinstance(error, httpx.TransportError)
