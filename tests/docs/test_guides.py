"""Every `conductor` command in the guides exists, with every option that is shown."""

from pathlib import Path

import pytest

from tests.docs.shell_commands import FENCE, conductor_calls, unknown_words

GUIDES = sorted((Path(__file__).parents[2] / "docs" / "guides").glob("*.md"))


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
def test_every_command_and_option_of_a_guide_exists(guide: Path) -> None:
    """Also those that only Google's cloud can run."""
    blocks = FENCE.findall(guide.read_text(encoding="utf-8"))
    calls = [call for block in blocks for call in conductor_calls(block)]
    assert {" ".join(call): unknown_words(call) for call in calls if unknown_words(call)} == {}
    if guide.stem in {"ci", "first-deployment", "reviewing"}:
        assert calls
