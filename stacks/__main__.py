"""The program that Pulumi runs for every stack of the project.

Pulumi's language host puts only this folder on the import path, so the project's packages must
be installed; a plain `ModuleNotFoundError` would not say how.
"""

from __future__ import annotations

import pulumi

try:
    from stacks.program import declare_stack
except ModuleNotFoundError as error:
    if error.name not in {"architecture", "components", "stacks"}:
        raise
    raise pulumi.RunError(
        f"package {error.name!r} is not installed for the Python that runs this program; "
        "run `make install` in the project's folder"
    ) from error

declare_stack()
