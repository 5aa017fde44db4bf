"""A preview's comment on a pull request: made once, replaced from then on, others' left alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import stamina
from typer.testing import CliRunner, Result

from orchestration.cli.main import app
from orchestration.review.comment import LIMIT, marker, to_comment
from orchestration.review.github import GitHubComments, PullRequest, _asked_pause_s
from orchestration.review.store import write_review
from tests.orchestration.review.github_fake import BOT, TOKEN, FakeGitHub, Refusal, served
from tests.orchestration.review.sample import small_review

BODY = to_comment(small_review())


@pytest.fixture
def github(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGitHub]:
    """GitHub, and the variables that a workflow has; pauses between attempts take no time."""
    write_review(tmp_path / "preview.json", small_review())
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"pull_request": {"number": 7}}))
    monkeypatch.chdir(tmp_path)
    with served(FakeGitHub()) as fake, stamina.set_testing(True, attempts=4):
        for name, value in {
            "GITHUB_TOKEN": TOKEN,
            "GITHUB_API_URL": fake.url,
            "GITHUB_REPOSITORY": "acme/shop",
            "GITHUB_EVENT_PATH": str(event),
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("GITHUB_REF", raising=False)
        yield fake


def comment(*words: str) -> Result:
    """Run the command on the stored preview."""
    return CliRunner().invoke(app, ["comment", "--github", "--preview", "preview.json", *words])


def test_a_comment_is_made_once_and_then_replaced(github: FakeGitHub) -> None:
    """Step 7, item 2: replaced in place by a marker."""
    first = comment("--json")
    assert first.exit_code == 0, first.output
    said = json.loads(first.stdout)
    assert (said["action"], said["pull"], said["comment_id"]) == ("created", 7, 1)
    github.comments[0]["body"] = f"{marker('prod')}\nof yesterday"
    second = comment()
    assert second.exit_code == 0, second.output
    assert second.stdout == f"comment replaced: {github.comments[0]['html_url']}\n"
    assert github.bodies() == [BODY]
    assert len(BODY) <= LIMIT


def test_ours_is_found_behind_pages_of_others(github: FakeGitHub) -> None:
    """Two hundred and fifty people had something to say; the token goes to no other host."""
    for number in range(250):
        github.add("ada", f"{number}")
    github.add(BOT, f"{marker('prod')}\nold")
    github.add(BOT, f"{marker('other')}\nof another environment")
    done = comment()
    assert done.exit_code == 0, done.output
    assert len(github.comments) == 252
    assert github.bodies()[250] == BODY
    assert [c for c in github.calls if c.startswith("GET /repos")] == [
        f"GET /repos/acme/shop/issues/7/comments?per_page=100&page={page}" for page in (1, 2, 3)
    ]


@pytest.mark.parametrize("user", [None, "release-bot"])
def test_what_others_wrote_is_left_alone(github: FakeGitHub, user: str | None) -> None:
    """Even with our marker: somebody has copied it, or it is another token's."""
    github.user = user
    github.add("mallory", f"{marker('prod')}\nall is well, approve it")
    github.add("ada", f"> {marker('prod')}\nwhat is this?")
    assert comment().exit_code == 0
    assert comment().exit_code == 0
    assert github.bodies()[0].endswith("approve it")
    assert [c["user"]["login"] for c in github.comments] == ["mallory", "ada", user or BOT]


def test_an_app_names_its_own_login(github: FakeGitHub) -> None:
    """An app's token may not ask who it is, and is not always that of a workflow."""
    github.add("our-app[bot]", f"{marker('prod')}\nold")
    refused = comment("--author", "our-app[bot]")
    # Found to be ours, though this fake's token is of another app.
    assert "PATCH repos/acme/shop/issues/comments/1: 403" in refused.output


@pytest.mark.parametrize(
    ("status", "said", "hint"),
    [
        (401, "401 Bad credentials", "set another GITHUB_TOKEN"),
        (403, "403 Resource not accessible by integration", "pull-requests: write"),
        (404, "404 Not Found", "check --repo and --pull"),
        (422, "422 Validation Failed; body is too long", "GitHub takes no such comment"),
    ],
)
def test_a_refusal_is_told_and_not_repeated(
    github: FakeGitHub, status: int, said: str, hint: str
) -> None:
    """One line with a code and what to do."""
    words, _, more = said[4:].partition("; ")
    github.refusals = [
        Refusal(status, {"message": words, "errors": [{"message": more}] if more else []})
    ]
    done = comment()
    assert done.exit_code == 1
    assert "error[github-refused]" in done.output
    assert said in done.output
    assert hint in done.output
    assert len(github.calls) == 1


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal(500, {"message": "oops"}),
        Refusal(502),
        Refusal(429, {"message": "slow down"}),
        Refusal(403, {"message": "You have exceeded a secondary rate limit."}),
        Refusal(403, {"message": "API rate limit exceeded"}, {"x-ratelimit-remaining": "0"}),
    ],
)
def test_a_busy_github_is_asked_again(github: FakeGitHub, refusal: Refusal) -> None:
    """Its own troubles and its limits pass; after four attempts we say so."""
    github.refusals = [refusal] * 3
    assert comment().exit_code == 0
    assert github.bodies() == [BODY]
    github.refusals = [refusal] * 4
    done = comment()
    assert done.exit_code == 1
    assert "error[github-unreachable]" in done.output


def test_a_lost_answer_makes_no_second_comment(github: FakeGitHub) -> None:
    """The gateway failed after the comment was made: the next attempt finds and replaces it."""
    github.refusals = [Refusal(502, method="POST", is_done=True)]
    assert comment().exit_code == 0
    assert github.bodies() == [BODY]


@pytest.mark.parametrize(
    ("refusal", "pause_s"),
    [
        (Refusal(403, {}, {"retry-after": "17"}), 17.0),
        (Refusal(429, {}), 60.0),
        (Refusal(503, {}), None),
    ],
)
def test_github_says_how_long_to_wait(refusal: Refusal, pause_s: float | None) -> None:
    """As its rules for clients have it."""
    import httpx  # noqa: PLC0415 - the one test that needs an answer without a server

    answer = httpx.Response(refusal.status, headers=refusal.headers)
    assert _asked_pause_s(answer) == pause_s


def test_the_token_is_in_no_error(github: FakeGitHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither echoed by a server nor by the client that cannot send it."""
    github.refusals = [Refusal(422, {"message": f"what is {TOKEN}?"})]
    assert "what is [token]?" in comment().output
    for bad in (f"{TOKEN}\n", f"{TOKEN} x", f"{TOKEN}é"):
        monkeypatch.setenv("GITHUB_TOKEN", bad)
        done = comment("--debug")
        assert done.exit_code == 2
        assert TOKEN not in done.output


def test_a_github_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line, no traceback."""
    with served(FakeGitHub()) as gone:
        url = gone.url
    with stamina.set_testing(True, attempts=2):
        api = GitHubComments(url, TOKEN)
        with pytest.raises(Exception, match="does not answer") as error:
            api.post(PullRequest("acme/shop", 7), marker("prod"), BODY)
    assert getattr(error.value, "code", "") == "github-unreachable"


@pytest.mark.parametrize(
    ("variables", "words", "said"),
    [
        ({"GITHUB_TOKEN": ""}, (), "GITHUB_TOKEN is not set"),
        ({"GITHUB_REPOSITORY": ""}, (), "of which repository?"),
        ({}, ("--repo", "shop"), "'shop' is no repository"),
        ({"GITHUB_EVENT_PATH": ""}, (), "on which pull request?"),
        ({"GITHUB_EVENT_PATH": "nowhere"}, (), "GITHUB_EVENT_PATH nowhere cannot be read"),
        ({"GITHUB_API_URL": "http://github.test"}, (), "is no https address"),
        ({}, ("--preview", "gone.json"), "there is no such file"),
        ({}, ("--preview", "0" * 32), "of which environment?"),
    ],
)
def test_what_is_missing_is_named(
    github: FakeGitHub,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    words: tuple[str, ...],
    said: str,
) -> None:
    """Exit code 2, before GitHub is asked anything."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    done = comment(*words)
    assert done.exit_code == 2, done.output
    assert said in done.output
    assert github.calls == []


def test_the_ref_names_the_pull_request_where_no_event_does(
    github: FakeGitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`GITHUB_REF` of a merge; `--pull` wins over both."""
    monkeypatch.delenv("GITHUB_EVENT_PATH")
    monkeypatch.setenv("GITHUB_REF", "refs/pull/7/merge")
    assert comment().exit_code == 0
    assert "issues/8/comments: 404" in comment("--pull", "8").output


def test_without_github_it_is_printed(tmp_path: Path) -> None:
    """For other CI systems."""
    file = tmp_path / "preview.json"
    write_review(file, small_review())
    done = CliRunner().invoke(app, ["comment", "--preview", str(file)])
    assert (done.exit_code, done.stdout) == (0, BODY)
