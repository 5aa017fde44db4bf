"""Writes a stack's checkpoints one after the other, each checked before it is written.

As in the real engine a state that breaks the rules is written all the same, for it says what has
become of real resources; it carries the reason with it, and the operation fails.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

from rehearsal.engine.errors import StateNotSavedError
from rehearsal.engine.files import describe
from rehearsal.engine.secrets.codec import StateCodec
from rehearsal.engine.state import checkpoint, integrity, states
from rehearsal.engine.state.checkpoint import Snapshot
from rehearsal.engine.state.integrity import Standing
from rehearsal.engine.state.states import ResourceState
from rehearsal.engine.values import gojson
from rehearsal.engine.values.gojson import JsonObject

_INTEGRITY_ERROR: Final = "integrity_error"
_values_of: Final[Callable[[ResourceState], tuple[object, ...]]] = operator.attrgetter(
    *(item.name for item in fields(ResourceState))
)


@dataclass(frozen=True, slots=True)
class _Written:
    """What was made of a resource while its fields had certain values.

    The state is kept as well, so that its identity is not given to another one.
    """

    state: ResourceState
    values: tuple[object, ...]
    text: gojson.Raw
    standing: Standing


class CheckpointWriter:
    """Writes the checkpoints of one operation.

    There are two per step, each with every resource in it, so that the text of those that stay as
    they are is remembered. A field changes by being assigned, never inside: one whose value is
    the same object is unchanged.
    """

    def __init__(
        self,
        codec: StateCodec,
        store: Callable[[JsonObject], Path],
        *,
        command: str,
        is_checked: bool = True,
    ) -> None:
        """Prepare to write.

        Args:
            codec: encrypts the secrets.
            store: puts a deployment where it belongs, and says where that is.
            command: the command line, which a broken state names as its maker.
            is_checked: a broken state makes the operation fail; it is marked either way.
        """
        self._codec = codec
        self._store = store
        self._command = command
        self._is_checked = is_checked
        self._written: dict[int, _Written] = {}

    def __call__(self, snapshot: Snapshot) -> None:
        """Write one checkpoint.

        Raises:
            StateNotSavedError: it could not be written, or was and breaks the rules.
        """
        pending = [item.resource for item in snapshot.pending]
        # What is not there any more need not be remembered.
        made = self._written = {
            id(state): self._made_of(state) for state in (*snapshot.resources, *pending)
        }
        found = ""
        if not integrity.is_sound(made[id(state)].standing for state in snapshot.resources):
            found = integrity.violation(snapshot.resources)
        snapshot.metadata = self._marked(snapshot.metadata, found)
        document = checkpoint.write(
            snapshot, self._codec, write_state=lambda state: made[id(state)].text
        )
        try:
            file = self._store(document)
        except OSError as error:
            raise StateNotSavedError(f"failed to save snapshot: {describe(error)}") from error
        if found and self._is_checked:
            raise StateNotSavedError(
                f"failed to save snapshot: {file}: snapshot integrity failure; it was already"
                f" written, but is invalid (backup available at {file}.bak): {found}"
            )

    def _marked(self, metadata: JsonObject, found: str) -> JsonObject:
        """Put a violation into the metadata, or take an earlier one out."""
        kept = {key: value for key, value in metadata.items() if key != _INTEGRITY_ERROR}
        if not found:
            return kept
        error: JsonObject = {
            "version": str(checkpoint.FORMAT),
            "command": self._command,
            "error": found,
        }
        return {_INTEGRITY_ERROR: error, **kept}

    def _made_of(self, state: ResourceState) -> _Written:
        values = _values_of(state)
        known = self._written.get(id(state))
        if known is not None and all(map(operator.is_, known.values, values)):
            return known
        text = gojson.Raw(gojson.dumps(states.write(state, self._codec)))
        return _Written(state, values, text, Standing.of(state))
