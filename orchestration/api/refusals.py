"""What the HTTP edge itself refuses."""

from __future__ import annotations

from orchestration.errors import Blocked, UsageError


class RequestInvalid(UsageError):  # noqa: N818 - the house's tree names states, not mishaps
    """The request cannot be read, or lacks something."""

    code = "invalid-request"


class Unauthenticated(Blocked):
    """The request has no token, or one that nobody was given."""

    code = "unauthenticated"
    default_hint = "send `Authorization: Bearer TOKEN`; `conductor token create` makes tokens"


class TokenMissing(Blocked):
    """The server would be open to others, and nobody has a token yet."""

    code = "token-missing"
    default_hint = "create the first one with `conductor token create`, or serve on 127.0.0.1"


class AddressUnusable(Blocked):
    """The server cannot listen where it was told to."""

    code = "address-unusable"
    default_hint = "use another --port (0 takes a free one) or --host"
