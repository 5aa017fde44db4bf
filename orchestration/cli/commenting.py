"""`conductor comment`: a stored preview as a comment, printed or on its GitHub pull request."""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from orchestration.environments import Environment
from orchestration.errors import UsageError
from orchestration.review.comment import marker, to_comment
from orchestration.review.github import ACTIONS_BOT, GitHubComments, PullRequest
from orchestration.review.model import Review
from orchestration.review.store import FINGERPRINT, PreviewStore, read_review
from orchestration.settings import Settings

PUBLIC_API = "https://api.github.com"
REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
# What a workflow that a pull request has started finds in GITHUB_REF.
PULL_REF = re.compile(r"refs/pull/([1-9][0-9]*)/(?:merge|head)")


@dataclass(frozen=True, slots=True)
class CommentRequest:
    """What `comment` was asked to do, as it was typed."""

    preview: str | None
    environment: str | None
    on_github: bool
    repository: str | None
    pull: int | None
    report: str | None
    author: str | None


def comment_on_pull(request: CommentRequest, *, as_json: bool) -> None:
    """Print the comment of a preview, or have it on a pull request in the place of the last one.

    Raises:
        UsageError: there is no such preview, or nobody says where it belongs.
        PreviewUnknown: no preview of that fingerprint is stored.
        GitHubRefused: GitHub refuses it.
        GitHubUnreachable: GitHub does not answer.
    """
    review = _preview(request)
    body = (
        to_comment(review, report=f"[of this run]({request.report})")
        if request.report
        else to_comment(review)
    )
    if not request.on_github:
        sys.stdout.write(json.dumps({"body": body}) + "\n" if as_json else body)
        return
    pull = PullRequest(_repository(request), _pull_number(request))
    token = os.environ.get("GITHUB_TOKEN", "")
    if not token:
        raise UsageError(
            "GITHUB_TOKEN is not set", hint="a workflow has one: `${{ secrets.GITHUB_TOKEN }}`"
        )
    github = GitHubComments(
        os.environ.get("GITHUB_API_URL") or PUBLIC_API,
        token,
        author=request.author or ACTIONS_BOT,
    )
    posted = github.post(pull, marker(review.environment), body)
    if as_json:
        said = {
            "event": "comment_posted",
            "repository": pull.repository,
            "pull": pull.number,
            "action": "created" if posted.is_new else "replaced",
            "comment_id": posted.comment_id,
            "url": posted.url,
            "fingerprint": review.fingerprint,
        }
        sys.stdout.write(json.dumps(said) + "\n")
        return
    sys.stdout.write(f"{'commented' if posted.is_new else 'comment replaced'}: {posted.url}\n")


def _preview(request: CommentRequest) -> Review:
    """Give the preview that is meant: a file's, or one that an environment has stored."""
    named = request.preview
    if request.environment is not None:
        store = PreviewStore(Environment(request.environment, Settings.from_environment()))
        return store.newest() if named is None else store.find(named, option="--preview")
    if named is None:
        raise UsageError(
            "which preview?", hint="add --preview FILE, or --env NAME for its newest one"
        )
    if FINGERPRINT.fullmatch(named):
        raise UsageError(
            f"--preview {named} is a fingerprint: of which environment?", hint="add --env NAME"
        )
    try:
        return read_review(Path(named))
    except FileNotFoundError as error:
        raise UsageError(f"--preview {named!r}: there is no such file") from error


def _repository(request: CommentRequest) -> str:
    named = request.repository or os.environ.get("GITHUB_REPOSITORY", "")
    if not REPOSITORY.fullmatch(named):
        raise UsageError(
            f"{named!r} is no repository" if named else "of which repository?",
            hint="add --repo OWNER/NAME, or set GITHUB_REPOSITORY",
        )
    return named


def _pull_number(request: CommentRequest) -> int:
    """Give the pull request's number: as it was typed, else of what has started the workflow."""
    if request.pull is not None:
        return request.pull
    found = _number_of_event(os.environ.get("GITHUB_EVENT_PATH", ""))
    if found is None and (ref := PULL_REF.fullmatch(os.environ.get("GITHUB_REF", ""))):
        found = int(ref.group(1))
    if found is None:
        raise UsageError(
            "on which pull request?",
            hint="add --pull NUMBER; neither GITHUB_EVENT_PATH nor GITHUB_REF names one",
        )
    return found


def _number_of_event(path: str) -> int | None:
    """Read a number from the event that has started a workflow; None where it is about none."""
    if not path:
        return None
    try:
        event = json.loads(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(f"GITHUB_EVENT_PATH {path} cannot be read: {error}") from error
    pull = event.get("pull_request") if isinstance(event, dict) else None
    number = pull.get("number") if isinstance(pull, dict) else None
    return number if isinstance(number, int) else None
