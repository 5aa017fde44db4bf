"""The ledger in a bucket, on the local cloud's Cloud Storage."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from orchestration.director.bucket_ledger import BucketLedger
from orchestration.director.messages import Completion, CompletionStatus
from orchestration.errors import CloudUnreachable
from orchestration.targets.local import LocalTarget

BUCKET = "shop-state"


@pytest.fixture
def ledger(target: LocalTarget) -> Callable[[str], BucketLedger]:
    """Make ledgers in a bucket of the local cloud, by their prefixes."""
    made = httpx.post(
        f"{target.base_url}/storage/storage/v1/b",
        params={"project": target.project_id},
        json={"name": BUCKET},
        headers={"Authorization": f"Bearer {target.access_token()}"},
    )
    assert made.status_code in {200, 409}, made.text
    return lambda prefix: BucketLedger(
        f"gs://{BUCKET}/{prefix}", target.access_token, storage=f"{target.base_url}/storage"
    )


def completion(command_id: str = "c-1", duration_s: float = 1.0) -> Completion:
    """Make a completion."""
    return Completion(
        command_id=command_id,
        run_id="run-1",
        dataflow="orders",
        status=CompletionStatus.OK,
        duration_s=duration_s,
    )


def test_a_record_is_found_again_and_none_is_none(ledger: Callable[[str], BucketLedger]) -> None:
    """Also with an id that would be a path."""
    held = ledger("found")
    assert held.find("c-1") is None
    for name in ("c-1", "../../secrets?x=1#y"):
        assert held.store(completion(name)) == completion(name)
        assert held.find(name) == completion(name)


def test_the_first_record_of_a_command_stands(ledger: Callable[[str], BucketLedger]) -> None:
    """Sixteen directors finish one command at once: all give the same answer from then on."""
    held = ledger("first")
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: held.store(completion(duration_s=float(n))), range(16)))
    assert len({answer.duration_s for answer in answers}) == 1
    assert held.find("c-1") == answers[0]


def test_what_is_no_record_is_replaced(
    ledger: Callable[[str], BucketLedger], target: LocalTarget
) -> None:
    """Somebody wrote nonsense into the bucket: the command is done again, and recorded."""
    held = ledger("nonsense")
    held.store(completion())
    listed = f"{target.base_url}/storage/storage/v1/b/{BUCKET}/o"
    headers = {"Authorization": f"Bearer {target.access_token()}"}
    names = httpx.get(listed, params={"prefix": "nonsense/"}, headers=headers).json()["items"]
    httpx.post(
        f"{target.base_url}/storage/upload/storage/v1/b/{BUCKET}/o",
        params={"uploadType": "media", "name": names[0]["name"]},
        content=b"{",
        headers=headers,
    ).raise_for_status()
    assert held.find("c-1") is None
    assert held.store(completion(duration_s=2.0)).duration_s == 2.0
    assert held.find("c-1") == completion(duration_s=2.0)


def test_a_bucket_that_refuses_is_said_to(target: LocalTarget) -> None:
    """The command is not acknowledged then, and comes again."""
    absent = BucketLedger(
        "gs://no-such-bucket/x", target.access_token, storage=f"{target.base_url}/storage"
    )
    with pytest.raises(CloudUnreachable, match="answers 404"):
        absent.store(completion())


def test_the_newest_generation_is_kept(ledger: Callable[[str], BucketLedger]) -> None:
    """Design 5: a director that was restarted still knows whom to refuse."""
    held = ledger("generations")
    assert held.generation() == 0
    for generation in (7, 1_900_000_000):
        held.keep_generation(generation)
        assert ledger("generations").generation() == generation
