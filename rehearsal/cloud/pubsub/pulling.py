"""Pulling once: waits a little for messages, as both façades do."""

from rehearsal.cloud.errors import invalid_argument
from rehearsal.cloud.pubsub.backlog import Backlog
from rehearsal.cloud.pubsub.delivery import Lease

# Google waits "a bounded amount of time"; clients ask again.
WAIT_S = 5.0
_MAX_MESSAGES = 1000


async def pull(backlog: Backlog, max_messages: int, *, wait_s: float) -> list[Lease]:
    """Lease messages, waiting for the first of them.

    Raises:
        ApiError: 400, the number of messages makes no sense.
    """
    if max_messages <= 0:
        raise invalid_argument("The request's max_messages must be greater than 0.")
    await backlog.wait(backlog.has_ready, wait_s)
    return backlog.pull(limit=min(max_messages, _MAX_MESSAGES)) if backlog.is_open else []
