"""The reference of the messages, held to the model."""

from __future__ import annotations

import re
from pathlib import Path

from orchestration.director.messages import Command, Completion, Instruction

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "director-messages.md"


def first_column(heading: str) -> list[str]:
    """Give the names in the first column of the table under a heading."""
    section = PAGE.read_text(encoding="utf-8").split(f"## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `([^`]+)`", section, flags=re.MULTILINE)


def test_the_reference_has_every_instruction_and_field() -> None:
    """1.5: nothing of the protocol is undocumented, nothing documented is missing."""
    assert sorted(first_column("Instructions")) == sorted(Instruction)
    assert first_column("Fields of a command") == list(Command.model_fields)
    assert first_column("Fields of a completion") == list(Completion.model_fields)
