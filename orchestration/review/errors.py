"""What stands between an approval and the run that it is for."""

from __future__ import annotations

from orchestration.errors import Blocked


class PreviewUnknown(Blocked):
    """The preview that is said to be approved is not stored here."""

    code = "preview-unknown"


class NotApproved(Blocked):
    """What would be done now is not what was approved; `details` names every difference."""

    code = "not-approved"
    default_hint = "preview again, and have the new fingerprint approved"
