"""What `--help` prints: the commands and flags there are, and where to read about them."""

from __future__ import annotations

from collections.abc import Sequence

from rehearsal.engine.cli import declined
from rehearsal.engine.cli.arguments import FLAGS

_WIDTH = 96


def text(commands: Sequence[tuple[str, ...]]) -> str:
    """Describe the command line of this engine; every command takes the same flags."""
    known = sorted(FLAGS - set(declined.flags()))
    return "\n".join(
        [
            "The embedded Pulumi engine. Usage: pulumi COMMAND [-s STACK] [FLAGS]",
            "",
            "Commands:",
            *_wrapped([" ".join(words) for words in commands]),
            "",
            "Flags, each with the meaning it has for a real `pulumi`:",
            *_wrapped([f"--{name}" for name in known]),
            "",
            "Everything else is declined, in words that say what to use instead.",
        ]
    )


def _wrapped(words: Sequence[str]) -> list[str]:
    """Fill lines with words separated by commas."""
    lines = [""]
    for word in words:
        if len(lines[-1]) + len(word) > _WIDTH:
            lines.append("")
        lines[-1] += f"{', ' if lines[-1] else '  '}{word}"
    return [f"{line}," for line in lines[:-1]] + lines[-1:]
