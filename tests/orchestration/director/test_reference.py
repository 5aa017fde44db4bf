"""The reference of the messages, held to the model."""

from __future__ import annotations

import re
from pathlib import Path

from orchestration.automation.engines import EngineName
from orchestration.director.messages import Command, Completion, Instruction
from orchestration.director.startup import start_up_checks, topic_checks

REFERENCE = Path(__file__).parents[3] / "docs" / "reference"
PAGE = REFERENCE / "director-messages.md"
SERVICE_PAGE = REFERENCE / "director.md"


def first_column(heading: str) -> list[str]:
    """Give the names in the first column of the table under a heading."""
    section = PAGE.read_text(encoding="utf-8").split(f"## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `([^`]+)`", section, flags=re.MULTILINE)


def test_the_reference_has_every_instruction_and_field() -> None:
    """1.5: nothing of the protocol is undocumented, nothing documented is missing."""
    assert sorted(first_column("Instructions")) == sorted(Instruction)
    assert first_column("Fields of a command") == list(Command.model_fields)
    assert first_column("Fields of a completion") == list(Completion.model_fields)


def test_the_reference_has_every_start_up_check() -> None:
    """What the log names is explained, and nothing else."""
    google = start_up_checks(
        {"PULUMI_BACKEND_URL": "gs://b", "CONDUCTOR_SECRETS_PROVIDER": "gcpkms://k"},
        EngineName.PULUMI,
        lambda: "token",
        topic_checks(None, "s", None, "t"),  # type: ignore[arg-type] # nothing is looked at
    )
    page = SERVICE_PAGE.read_text(encoding="utf-8")
    section = page.split("## Start-up check\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| ((?:`[^`]+`(?:, )?)+) \|", section, flags=re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`([^`]+)`", row)]
    assert named == [check.subject for check in google]
