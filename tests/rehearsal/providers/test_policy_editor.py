"""The policy editor batches changes, and no writer spoils another's."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from rehearsal.engine.provider import ProviderError
from rehearsal.providers.gcp.policies import Grant, Policy, PolicyEditor
from rehearsal.providers.rest import ApiCallError, Patience, RestClient

QUICK = Patience(transient_s=1, settling_s=1, first_delay_s=0.001, last_delay_s=0.005)


@dataclass
class Document:
    """A policy in memory whose writes wait for `gate`, and which does not know some members."""

    gate: asyncio.Event = field(default_factory=asyncio.Event)
    policy: Policy = field(default_factory=lambda: Policy((), "0"))
    unknown: set[str] = field(default_factory=set)
    conflicts: int = 0
    writes: int = 0

    @property
    def key(self) -> str:
        """What tells this policy from others."""
        return "document"

    async def load(self, rest: RestClient) -> Policy | None:
        """Return the policy."""
        return self.policy

    async def save(self, rest: RestClient, policy: Policy) -> str:
        """Keep the policy unless it holds a member that is not known."""
        self.writes += 1
        await self.gate.wait()
        for grant in policy.grants:
            if grant.member in self.unknown:
                raise ApiCallError(
                    400, "", f"{grant.member} does not exist.", is_after_lost_reply=False
                )
        if self.conflicts:
            self.conflicts -= 1
            raise ApiCallError(409, "ABORTED", "Concurrent changes.", is_after_lost_reply=False)
        self.policy = Policy(policy.grants, str(self.writes))
        return self.policy.etag

    def members(self) -> set[str]:
        """Return who is granted something."""
        return {grant.member for grant in self.policy.grants}


def editor() -> PolicyEditor:
    """Return an editor with little patience."""
    return PolicyEditor(RestClient("token", QUICK))


def test_changes_during_a_write_go_out_in_the_next_one() -> None:
    """One write is under way, nineteen changes wait, one more write makes them all."""

    async def scenario() -> None:
        document, used = Document(), editor()
        tasks = [
            asyncio.create_task(used.add(document, Grant("roles/x", f"user:{i}")))
            for i in range(20)
        ]
        await asyncio.sleep(0)
        document.gate.set()
        await asyncio.gather(*tasks)
        assert len(document.members()) == 20
        assert document.writes <= 2

    asyncio.run(scenario())


def test_cancelled_writer_takes_nobody_with_it() -> None:
    """When the task that writes is cancelled, those who wait write their changes themselves."""

    async def scenario() -> None:
        document, used = Document(), editor()
        first = asyncio.create_task(used.add(document, Grant("roles/x", "user:first")))
        while not document.writes:  # noqa: ASYNC110 - one pass of the loop is enough.
            await asyncio.sleep(0)
        others = [
            asyncio.create_task(used.add(document, Grant("roles/x", f"user:{i}"))) for i in "ab"
        ]
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        document.gate.set()
        await asyncio.gather(*others)
        assert document.members() == {"user:a", "user:b"}

    asyncio.run(scenario())


def test_unknown_account_holds_up_nobody_else() -> None:
    """While one grant waits for its account, the others are written; then it is, too."""

    async def scenario() -> None:
        document, used = Document(unknown={"serviceAccount:new"}), editor()
        document.gate.set()
        waiting = asyncio.create_task(used.add(document, Grant("roles/x", "serviceAccount:new")))
        await asyncio.gather(*(used.add(document, Grant("roles/x", f"user:{i}")) for i in range(5)))
        assert not waiting.done()
        document.unknown.clear()
        await waiting
        assert len(document.members()) == 6

    asyncio.run(scenario())


def test_conflicts_are_retried_and_unknown_accounts_given_up_in_the_end() -> None:
    """A conflict is another round; an account that never appears is an error."""

    async def scenario() -> None:
        document = Document(conflicts=3, unknown={"serviceAccount:never"})
        document.gate.set()
        used = PolicyEditor(
            RestClient("t", Patience(settling_s=0.02, first_delay_s=0.001, last_delay_s=0.005))
        )
        await used.add(document, Grant("roles/x", "user:a"))
        assert document.writes == 4
        with pytest.raises(ProviderError, match="does not exist"):
            await used.add(document, Grant("roles/x", "serviceAccount:never"))
        await used.remove(document, Grant("roles/x", "user:a"))
        assert document.members() == set()

    asyncio.run(scenario())
