"""The errors of Google's APIs: code, status, message and details.

How an error reaches a caller (REST body, gRPC status, failed operation) is the matter of whoever
answers; this module only says what the error is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from rehearsal.cloud.calls import JsonObject

# google.rpc.Code by status; gRPC's status codes have the same names and numbers.
RPC_CODES: Final[Mapping[str, int]] = {
    "CANCELLED": 1,
    "UNKNOWN": 2,
    "INVALID_ARGUMENT": 3,
    "DEADLINE_EXCEEDED": 4,
    "NOT_FOUND": 5,
    "ALREADY_EXISTS": 6,
    "PERMISSION_DENIED": 7,
    "RESOURCE_EXHAUSTED": 8,
    "FAILED_PRECONDITION": 9,
    "ABORTED": 10,
    "OUT_OF_RANGE": 11,
    "UNIMPLEMENTED": 12,
    "INTERNAL": 13,
    "UNAVAILABLE": 14,
    "UNAUTHENTICATED": 16,
}
# The older `errors[].reason`, which Google's Go clients print and the provider keys on.
LEGACY_REASONS: Final[Mapping[str, str]] = {
    "NOT_FOUND": "notFound",
    "ALREADY_EXISTS": "alreadyExists",
    "INVALID_ARGUMENT": "badRequest",
    "FAILED_PRECONDITION": "failedPrecondition",
    "ABORTED": "aborted",
    "PERMISSION_DENIED": "forbidden",
    "UNAUTHENTICATED": "authError",
    "RESOURCE_EXHAUSTED": "rateLimitExceeded",
}
# The two older APIs have their own reasons for the same.
OLDER_REASONS: Final[Mapping[str, Mapping[str, str]]] = {
    "bigquery": {"badRequest": "invalid", "forbidden": "accessDenied"},
    "storage": {"badRequest": "invalid", "authError": "required"},
}
ERROR_INFO: Final = "type.googleapis.com/google.rpc.ErrorInfo"
BAD_REQUEST: Final = "type.googleapis.com/google.rpc.BadRequest"


class ApiError(Exception):
    """An error answer of an API.

    Attributes:
        code: The HTTP status.
        status: The name of the canonical code, like `NOT_FOUND`.
        message: What went wrong, in Google's words where they are known.
        reason: The older `errors[].reason`.
        details: `google.rpc` details, ready for the body.
    """

    def __init__(
        self,
        code: int,
        status: str,
        message: str,
        *,
        reason: str = "",
        details: Sequence[JsonObject] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.message = message
        self.reason = reason or LEGACY_REASONS.get(status, "backendError")
        self.details = tuple(details)

    @property
    def grpc_code(self) -> int:
        """The number of the canonical code, as in gRPC and in failed operations."""
        return RPC_CODES.get(self.status, RPC_CODES["UNKNOWN"])

    def to_json(self, api: str = "") -> JsonObject:
        """Google's error body, with the reason that an API (`storage`, say) gives."""
        reason = OLDER_REASONS.get(api, {}).get(self.reason, self.reason)
        error: JsonObject = {
            "code": self.code,
            "message": self.message,
            "status": self.status,
            "errors": [{"message": self.message, "domain": "global", "reason": reason}],
        }
        if self.details:
            error["details"] = list(self.details)
        return {"error": error}

    def to_status(self) -> JsonObject:
        """The `google.rpc.Status` of a failed operation."""
        status: JsonObject = {"code": self.grpc_code, "message": self.message}
        if self.details:
            status["details"] = list(self.details)
        return status


def not_found(message: str) -> ApiError:
    """A resource does not exist."""
    return ApiError(404, "NOT_FOUND", message)


def already_exists(message: str) -> ApiError:
    """A resource exists already."""
    return ApiError(409, "ALREADY_EXISTS", message)


def invalid_argument(message: str) -> ApiError:
    """The request itself is wrong."""
    return ApiError(400, "INVALID_ARGUMENT", message)


def bad_request(violations: Sequence[tuple[str, str]], *, message: str = "") -> ApiError:
    """Fields of the request are wrong; each is (path by proto names, what is wrong)."""
    return ApiError(
        400,
        "INVALID_ARGUMENT",
        message or "\n".join(description for _, description in violations),
        details=(
            {
                "@type": BAD_REQUEST,
                "fieldViolations": [
                    ({"field": field} if field else {}) | {"description": description}
                    for field, description in violations
                ],
            },
        ),
    )


def failed_precondition(message: str) -> ApiError:
    """The system is not in the state that the request needs."""
    return ApiError(400, "FAILED_PRECONDITION", message)


def aborted(message: str) -> ApiError:
    """A concurrent change won."""
    return ApiError(409, "ABORTED", message)


def unauthenticated(
    message: str = "Request is missing required authentication credential. Expected OAuth 2 access"
    " token, login cookie or other valid authentication credential.",
) -> ApiError:
    """Nobody knows who is calling."""
    return ApiError(401, "UNAUTHENTICATED", message)


def permission_denied(permission: str, resource: str) -> ApiError:
    """The principal lacks a permission on a resource."""
    return ApiError(
        403,
        "PERMISSION_DENIED",
        f"Permission '{permission}' denied on resource '{resource}' (or it may not exist).",
        details=(
            {
                "@type": ERROR_INFO,
                "reason": "IAM_PERMISSION_DENIED",
                "domain": "iam.googleapis.com",
                "metadata": {"permission": permission, "resource": resource},
            },
        ),
    )
