"""A review as people read it: golden files, and what holds for every one of them."""

from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.review.comment import ALWAYS_LISTED, LIMIT, marker, to_comment
from orchestration.review.markdown import to_markdown
from orchestration.review.model import Review, StackReview
from orchestration.review.page import to_html
from orchestration.review.wording import code
from tests.orchestration.review.sample import access, change, reviewed, small_review

GOLDEN = Path(__file__).parent / "golden"
LONG = "x" * 200


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("preview.md", to_markdown(small_review())),
        ("comment.md", to_comment(small_review())),
    ],
)
def test_it_reads_as_it_did(name: str, written: str) -> None:
    """Golden: whoever changes the words sees what becomes of them."""
    assert written == (GOLDEN / name).read_text(encoding="utf-8")


def large_review(stacks: int, harmless: int, destructive: int, gains: int, name: str) -> Review:
    """Make one with so many changes, spread over the stacks."""
    kinds = ["create"] * harmless + ["delete"] * destructive
    names = [f"prod.dataflow.flow-{number}-{name}" for number in range(stacks)]
    by_stack: dict[str, list[object]] = {one: [] for one in names}
    for number, operation in enumerate(kinds):
        stack = names[number % stacks]
        by_stack[stack].append(
            change(operation, "gcp:pubsub/topic:Topic", f"{name}-{number}", stack)
        )
    reviews = tuple(
        StackReview.model_validate({"stack": stack, "changes": changes, "unchanged": 7})
        for stack, changes in by_stack.items()
    )
    return reviewed(
        reviews,
        tuple(
            access(number, member=f"serviceAccount:{name}-{number}@x", on=f"topic {name}-{number}")
            for number in range(gains)
        ),
    )


@pytest.mark.parametrize("name", ["orders", LONG])
@pytest.mark.parametrize(("destructive", "gains"), [(200, 0), (0, 200), (100, 100)])
def test_a_comment_lists_two_hundred_dangerous_changes_whatever_else_there_is(
    name: str, destructive: int, gains: int
) -> None:
    """A hundred stacks and 5,000 operations: none of those two hundred is left out."""
    comment = to_comment(large_review(100, 4_800, destructive, gains, name))
    assert len(comment) <= LIMIT
    assert comment.count("- **delete** ") == destructive
    assert comment.count(" **gains** ") == gains
    assert "not complete" not in comment
    assert all(f"flow-{number}-" in comment for number in range(100))


@given(
    stacks=st.integers(1, 130),
    harmless=st.integers(0, 3_000),
    destructive=st.integers(0, 400),
    gains=st.integers(0, 400),
    name=st.sampled_from(["a", "orders", LONG]),
)
@settings(max_examples=25, deadline=None)
def test_a_comment_always_fits_and_says_when_it_is_not_complete(
    stacks: int, harmless: int, destructive: int, gains: int, name: str
) -> None:
    """Beyond two hundred they are grouped, with exact counts; it says so before all else."""
    review = large_review(stacks, harmless, destructive, gains, name)
    comment = to_comment(review, report="the page of build 7")
    assert len(comment) <= LIMIT
    assert comment.startswith(marker("prod"))
    assert review.fingerprint in comment
    again = Review.model_validate_json(review.model_dump_json())
    assert comment == to_comment(again, report="the page of build 7")
    grouped = "not complete" in comment
    if destructive + gains > ALWAYS_LISTED:
        assert grouped
    if grouped:
        second = comment.split("\n\n")[1]
        assert f"{destructive} deletions and replacements and {gains} change" in second
        counts = [int(line.split()[1]) for line in comment.splitlines() if " times " in line]
        assert sum(counts) == destructive + gains
    else:
        assert comment.count("- **delete** ") == destructive


def test_nothing_in_a_name_or_value_ends_its_code() -> None:
    """Values are other people's: they must not write the comment."""
    assert code("a`b") == "``a`b``"
    assert code("`` x") == "``` `` x ```"
    assert code("a|b\n<b>") == "`a|b <b>`"
    assert code("") == "` `"


class Tags(HTMLParser):
    """Checks that every tag that is opened is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        """Open a tag."""
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close the last one."""
        assert self.open.pop() == tag


def test_the_page_is_whole_and_shows_everything() -> None:
    """Every resource, every property, every change of access."""
    page = to_html(small_review())
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    for said in ("shop-invoices", "forces a replacement", "allUsers", "MODE", "biller", "Drift"):
        assert said in page
