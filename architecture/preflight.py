"""How a service says which command is its pre-flight test: `metadata.preflight`.

Which one it is where a service declares none, and running it, is `orchestration.artifacts`' part.
"""

from __future__ import annotations

import shlex
from typing import Final

from architecture.model import Service

KEY: Final = "preflight"


def declared_command(service: Service) -> tuple[str, ...]:
    """Return the words of the command that a service declares; none when it declares none.

    Raises:
        ValueError: what it declares is no command.
    """
    declared = service.metadata.get(KEY)
    match declared:
        case None:
            return ()
        case str():
            words = shlex.split(declared)
        case list():
            words = [word for word in declared if isinstance(word, str)]
            if len(words) < len(declared):
                raise ValueError("its words must be texts")
        case _:
            raise ValueError("it must be a text, or a list of texts")
    if not words or not words[0]:
        raise ValueError("it names no program")
    return tuple(words)
