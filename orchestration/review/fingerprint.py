"""What an approval is bound to: a digest over all that a run would do.

In it are, stack by stack in the order of the run, every operation with the properties that it
changes from what to what, every change of access, and what each image is built of. Not in it are
times, run ids and how long anything took: the same change has the same fingerprint every time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

from orchestration.review.model import AccessChange, StackReview

# Grows when what is in it changes, so that an older approval is refused and not misread.
FINGERPRINT_VERSION = 1
# So many hexadecimal digits are shown and compared: 128 bits.
DIGITS = 32


def fingerprint_of(
    environment: str,
    architecture: str,
    stacks: Sequence[StackReview],
    access: Sequence[AccessChange],
    contexts: Mapping[str, str],
) -> str:
    """Return the fingerprint, as lower-case hexadecimal digits."""
    canonical = {
        "version": FINGERPRINT_VERSION,
        "environment": environment,
        "architecture": architecture,
        "stacks": [
            {
                "stack": stack.stack,
                # Independent resources are planned in any order.
                "changes": sorted(
                    (
                        [
                            change.urn,
                            change.operation,
                            [
                                [a.path, a.before, a.after, a.replaces]
                                for a in sorted(change.attributes, key=lambda a: a.path)
                            ],
                        ]
                        for change in stack.changes
                    ),
                    key=lambda change: (change[0], change[1]),
                ),
            }
            for stack in stacks
        ],
        "access": sorted(
            [change.stack, change.effect.value, change.member, change.role, change.on]
            for change in access
        ),
        "contexts": dict(contexts),
    }
    text = json.dumps(canonical, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:DIGITS]
