"""Commands and completions on the wire."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.director.messages import (
    LONGEST_REASON,
    Command,
    Completion,
    CompletionStatus,
    Instruction,
    MalformedMessageError,
    decode,
    encode,
)

COMMAND = Command(
    instruction=Instruction.SETUP,
    command_id="c-1",
    run_id="r-1",
    environment="dev",
    dataflow="orders",
    generation=7,
    deadline=datetime(2030, 1, 1, tzinfo=UTC),
    architecture_sha256="a",
    program_sha256="p",
    traceparent="00-1-2-01",
)


def test_messages_come_back_as_they_were_sent() -> None:
    """0.18: what is encoded is decoded, with the ids as attributes too."""
    data, attributes = encode(COMMAND)
    assert attributes == {"run_id": "r-1", "command_id": "c-1"}
    assert decode(Command, data, attributes) == COMMAND


def test_the_instruction_has_its_upstream_name() -> None:
    """Design 5: instruction names as upstream."""
    assert json.loads(encode(COMMAND)[0])["instruction"] == "dataflow-setup"


@given(st.binary(max_size=200))
def test_no_bytes_are_more_than_malformed(data: bytes) -> None:
    """G3: whatever arrives is a message or a malformed one, never another exception."""
    with pytest.raises(MalformedMessageError):
        decode(Completion, data, {})


def test_another_schema_version_is_malformed_and_says_so() -> None:
    """A message of another program's version is not guessed at."""
    data = COMMAND.model_copy(update={"schema_version": 99}).model_dump_json().encode()
    with pytest.raises(MalformedMessageError, match="schema version 99") as caught:
        decode(Command, data, {})
    assert caught.value.command_id == "c-1"


def test_ids_of_an_unreadable_message_are_taken_from_its_attributes() -> None:
    """G3: its sender can be answered, if anything says who that is."""
    with pytest.raises(MalformedMessageError) as caught:
        decode(Command, b"{", {"run_id": "r-9", "command_id": "c-9"})
    assert (caught.value.run_id, caught.value.command_id) == ("r-9", "c-9")


def test_ids_are_taken_from_the_body_where_attributes_have_none() -> None:
    """G3: a sender that forgot the attributes is answered as well."""
    data = b'{"run_id": "r-9", "command_id": "c-9", "instruction": "dance"}'
    with pytest.raises(MalformedMessageError, match="instruction") as caught:
        decode(Command, data, {"run_id": ""})
    assert (caught.value.run_id, caught.value.command_id) == ("r-9", "c-9")


@pytest.mark.parametrize("bad", ["x" * 129, "", "a\nb"])
def test_an_id_that_no_attribute_can_carry_is_none(bad: str) -> None:
    """G3: an answer to it could not be published, and its command would come again for ever."""
    data = COMMAND.model_copy(update={"command_id": bad}).model_dump_json().encode()
    with pytest.raises(MalformedMessageError) as caught:
        decode(Command, data, {"command_id": bad})
    assert caught.value.command_id == ""
    assert caught.value.run_id == "r-1"


def test_a_huge_message_gives_a_short_reason() -> None:
    """Fault case 14: what is wrong with a message is not as long as the message."""
    data = json.dumps({"k" * 1_000_000: 1, **COMMAND.model_dump(mode="json")}).encode()
    with pytest.raises(MalformedMessageError) as caught:
        decode(Command, data, {})
    assert len(caught.value.reason) <= LONGEST_REASON


def test_deep_nesting_is_malformed() -> None:
    """Fault case 29: a message cannot exhaust the reader's stack."""
    with pytest.raises(MalformedMessageError):
        decode(Command, b"[" * 100_000, {})


def test_an_unknown_field_is_malformed() -> None:
    """A field that this program does not know may mean something that it must not ignore."""
    completion = Completion(
        command_id="c", run_id="r", dataflow="d", status=CompletionStatus.OK
    ).model_dump(mode="json")
    data = json.dumps({**completion, "extra": 1}).encode()
    with pytest.raises(MalformedMessageError, match="extra"):
        decode(Completion, data, {})
