"""Files stay what their writers made them: reading keeps every byte, edits touch one value."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from architecture.loading import dump, load, loads
from architecture.source import NotEditableError

PATH = Path("services.yaml")
SHOP = """\
# The shop.
name:   'shop'   # quoted on purpose
region: europe-west1
service_manager_spec: {name: director, service_account: director-sa,
  command_topic: commands, completion_topic: {name: completions}}
dataflows:
  orders:
    services:
      intake: {service_account: "intake-sa"}
    resources:
      topics:
        - name: orders   # the main one
          producer_service:   intake   # the older form
      subscriptions:
        - {name: orders-sub, topic: orders, consumer_service: {name: intake},
           message_retention_duration: 604800000000000}
"""


def test_what_was_read_is_written_back_byte_for_byte(sample_path: Path, tmp_path: Path) -> None:
    """Step 3, item 4: comments, quotes, line ends and a byte order mark stay."""
    text = sample_path.read_text()
    for content in (
        text.encode(),
        text.replace("\n", "\r\n").encode(),
        b"\xef\xbb\xbf" + text.encode(),
    ):
        file = tmp_path / "services.yaml"
        file.write_bytes(content)
        assert dump(load(file)) == content


def test_real_files_are_written_back_byte_for_byte(real: Path) -> None:
    """Step 3, item 4: whoever wrote them."""
    for file in sorted(real.glob("*.services.yaml")):
        assert dump(load(file)) == file.read_bytes()


def test_a_migrated_file_differs_in_its_older_values_only() -> None:
    """Step 3, item 4: the same architecture, without warnings; other text as it was."""
    loaded = loads(SHOP, PATH)
    assert {warning.rule for warning in loaded.warnings} == {"older-form"}
    text = loaded.source.migrated().decode()
    assert text == (
        SHOP.replace("command_topic: commands", "command_topic: {name: commands}")
        .replace("producer_service:   intake ", "producer_service:   {name: intake} ")
        .replace("604800000000000", "604800s")
    )
    again = loads(text, PATH)
    assert again.architecture == loaded.architecture
    assert again.warnings == ()
    assert again.source.migrated() == text.encode()


@given(value=st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=20))
def test_an_edit_changes_its_own_line_only(value: str) -> None:
    """A value is replaced in place, whatever stands around it; a JSON text is a YAML text."""
    source = loads(SHOP, PATH).source
    where = ("dataflows", "orders", "services", "intake", "service_account")
    edited = source.edited([source.replacing(where, json.dumps(value))]).decode()
    before, after = SHOP.split("\n"), edited.split("\n")
    assert len(before) == len(after)
    assert [n for n, (a, b) in enumerate(zip(before, after, strict=True)) if a != b] in ([8], [])


def test_several_edits_do_not_move_each_other() -> None:
    """Places are those of the file as it was read."""
    source = loads(SHOP, PATH).source
    edits = [
        source.replacing(("region",), "us-central1"),
        source.replacing(("name",), "a-much-longer-name"),
    ]
    again = loads(source.edited(edits).decode(), PATH).architecture
    assert (again.name, again.region) == ("a-much-longer-name", "us-central1")


@pytest.mark.parametrize(
    "where", [("nothing",), ("dataflows",), ("dataflows", "orders", "services", 0), ("name", "x")]
)
def test_what_is_no_single_value_cannot_be_replaced(where: tuple[str | int, ...]) -> None:
    """A tool is told, and the file stays as it is."""
    with pytest.raises(NotEditableError):
        loads(SHOP, PATH).source.replacing(where, "x")


def test_a_value_with_an_anchor_is_left_alone() -> None:
    """Others may stand for it."""
    text = SHOP.replace("'shop'", "&n shop")
    with pytest.raises(NotEditableError):
        loads(text, PATH).source.replacing(("name",), "x")
