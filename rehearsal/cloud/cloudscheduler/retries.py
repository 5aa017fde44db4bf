"""When a failed attempt of a job is tried again, as its `retryConfig` says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.errors import invalid_argument
from rehearsal.cloud.pubsub.fields import seconds_of

_MOST_RETRIES: Final = 5


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and when.

    Attributes:
        count: How many attempts follow the first at least, as long as there is no limit of time.
        duration_s: For how long attempts follow; 0 without such a limit.
        min_backoff_s: The first pause.
        max_backoff_s: The longest pause.
        doublings: How often the pause doubles before it grows evenly.
    """

    count: int
    duration_s: float
    min_backoff_s: float
    max_backoff_s: float
    doublings: int

    @classmethod
    def of(cls, job: JsonObject) -> RetryPolicy:
        """Read the policy of a job, with Google's defaults; without one there is no retry.

        Raises:
            ApiError: 400.
        """
        config: JsonObject = job.get("retryConfig") or {}

        count = int(config.get("retryCount") or 0)
        if not 0 <= count <= _MOST_RETRIES:
            raise invalid_argument(f"RetryConfig.retry_count must be from 0 to {_MOST_RETRIES}.")

        def seconds(field: str, default_s: float) -> float:
            return seconds_of(config[field], field) if config.get(field) else default_s

        return cls(
            count=count,
            duration_s=seconds("maxRetryDuration", 0.0),
            min_backoff_s=seconds("minBackoffDuration", 5.0),
            max_backoff_s=seconds("maxBackoffDuration", 3600.0),
            doublings=int(config.get("maxDoublings", 5)),
        )

    def pause_s(self, failures: int, elapsed_s: float) -> float | None:
        """Return how long to wait after the nth failure (from 1); None when it was the last.

        With limits on both number and time, attempts go on until both are reached.
        """
        is_in_count = failures <= self.count
        is_in_time = self.duration_s > 0 and elapsed_s < self.duration_s
        if not is_in_count and not is_in_time:
            return None
        doubled = min(failures - 1, self.doublings)
        growth: int = 2**doubled * (1 + max(0, failures - 1 - self.doublings))
        return min(self.max_backoff_s, self.min_backoff_s * growth)
