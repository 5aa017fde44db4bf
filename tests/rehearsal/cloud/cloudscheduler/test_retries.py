"""Retries of failed attempts."""

from __future__ import annotations

import pytest

from rehearsal.cloud.cloudscheduler.retries import RetryPolicy
from rehearsal.cloud.errors import ApiError


def test_the_pause_doubles_then_grows_evenly_up_to_its_limit() -> None:
    """The pauses are those of Google's own example."""
    config = {
        "retryCount": 5,
        "maxRetryDuration": "100000s",
        "minBackoffDuration": "10s",
        "maxBackoffDuration": "300s",
        "maxDoublings": 3,
    }
    policy = RetryPolicy.of({"retryConfig": config})
    pauses = [policy.pause_s(failures, 0.0) for failures in range(1, 9)]
    assert pauses == [10, 20, 40, 80, 160, 240, 300, 300]


def test_a_job_without_a_policy_is_not_tried_again() -> None:
    """By default the next attempt is the next time on the schedule."""
    assert RetryPolicy.of({}).pause_s(1, 0.0) is None


def test_attempts_end_when_both_limits_are_reached() -> None:
    """With a number and a time the later of the two decides."""
    policy = RetryPolicy.of({"retryConfig": {"retryCount": 1, "maxRetryDuration": "60s"}})
    assert policy.pause_s(1, 100.0) == 5
    assert policy.pause_s(2, 59.0) == 10
    assert policy.pause_s(2, 60.0) is None


@pytest.mark.parametrize(
    "config", [{"retryCount": 6}, {"retryCount": -1}, {"minBackoffDuration": "soon"}]
)
def test_impossible_policies_are_refused(config: dict[str, object]) -> None:
    """Google allows at most five retries, and durations in seconds."""
    with pytest.raises(ApiError):
        RetryPolicy.of({"retryConfig": config})
