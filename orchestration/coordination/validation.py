"""Whether a request makes sense: every item that does not is named, and nothing is guessed."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime

from orchestration.coordination.errors import Category, Problem, RequestRefused
from orchestration.coordination.model import CoordinationRequest, Recommendation, Strategy
from orchestration.coordination.rules import Rules
from orchestration.coordination.schedule import Window, WindowUnreadable, window_of


def check_request(
    request: CoordinationRequest,
    *,
    now: datetime,
    rules: Rules,
    known_actions: Collection[str],
) -> dict[str, Window]:
    """Give the window of each recommendation that has one.

    Raises:
        RequestRefused: items or the request do not make sense; `problems` names all of them.
    """
    count = len(request.recommendations)
    if count > rules.max_recommendations:
        problem = Problem(
            Category.TOO_LARGE,
            "too-many-recommendations",
            f"{count} recommendations are more than {rules.max_recommendations}; send fewer",
            field="recommendations",
        )
        raise RequestRefused([problem])
    windows: dict[str, Window] = {}
    problems = [*_request_problems(request), *_id_problems(request)]
    ids = {item.id for item in request.recommendations}
    for place, item in enumerate(request.recommendations):
        found = _Item(item, place)
        problems.extend(_item_problems(found, request, ids, now))
        if request.execute_now and not rules.offers(item.action, known_actions):
            problems.append(
                found.semantic(
                    "no-handler",
                    "action",
                    f"no built-in handler and no registered agent offers {item.action!r}",
                )
            )
        try:
            window = window_of(item)
        except WindowUnreadable as error:
            problems.append(found.semantic("window-unreadable", error.field, f"{error}"))
        else:
            if window is not None:
                windows[item.id] = window
    if problems:
        raise RequestRefused(problems)
    return windows


class _Item:
    """A recommendation and its place, to name it by."""

    __slots__ = ("item", "place")

    def __init__(self, item: Recommendation, place: int) -> None:
        self.item = item
        self.place = place

    def malformed(self, code: str, field: str, message: str) -> Problem:
        return self._problem(Category.MALFORMED, code, field, message)

    def semantic(self, code: str, field: str, message: str) -> Problem:
        return self._problem(Category.SEMANTIC, code, field, message)

    def _problem(self, category: Category, code: str, field: str, message: str) -> Problem:
        where = f"recommendations[{self.place}].{field}"
        text = f"recommendation {self.item.id!r} ({where}): {message}"
        return Problem(category, code, text, item=self.item.id, field=where)


def _request_problems(request: CoordinationRequest) -> Iterator[Problem]:
    if request.strategy not in tuple(Strategy):
        known = " or ".join(repr(strategy.value) for strategy in Strategy)
        yield Problem(
            Category.SEMANTIC,
            "strategy-unknown",
            f"strategy {request.strategy!r} is unknown; use {known}",
            field="strategy",
        )


def _id_problems(request: CoordinationRequest) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for place, item in enumerate(request.recommendations):
        if (earlier := first.setdefault(item.id, place)) != place:
            yield _Item(item, place).semantic(
                "duplicate-id", "id", f"recommendations[{earlier}] has the same id"
            )


def _item_problems(
    found: _Item, request: CoordinationRequest, ids: Collection[str], now: datetime
) -> Iterator[Problem]:
    item = found.item
    if item.customer_id != request.customer_id:
        yield found.malformed(
            "foreign-customer",
            "customer_id",
            f"belongs to customer {item.customer_id!r}, not to {request.customer_id!r}",
        )
    if item.expires_at is not None and item.expires_at <= now:
        yield found.semantic(
            "recommendation-expired", "expires_at", f"expired at {item.expires_at.isoformat()}"
        )
    if item.dependencies:
        yield from _dependency_problems(found, ids)


def _dependency_problems(found: _Item, ids: Collection[str]) -> Iterator[Problem]:
    for place, dependency in enumerate(found.item.dependencies):
        field = f"dependencies[{place}]"
        if dependency == found.item.id:
            yield found.semantic("self-dependency", field, "depends on itself")
        elif dependency not in ids:
            yield found.semantic(
                "unknown-dependency", field, f"{dependency!r} is not in this request"
            )
