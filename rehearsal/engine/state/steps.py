"""The steps of a deployment: what is to happen to one resource."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from rehearsal.engine.provider import DiffKind
from rehearsal.engine.secrets.codec import blind
from rehearsal.engine.state.states import ResourceState
from rehearsal.engine.values import urns
from rehearsal.engine.values.gojson import JsonObject


class Op(StrEnum):
    """The kinds of steps, by the names that engine events use."""

    SAME = "same"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    REPLACE = "replace"
    CREATE_REPLACEMENT = "create-replacement"
    DELETE_REPLACED = "delete-replaced"
    READ = "read"
    READ_REPLACEMENT = "read-replacement"
    REFRESH = "refresh"
    DISCARD = "discard"
    DISCARD_REPLACED = "discard-replaced"
    REMOVE_PENDING_REPLACE = "remove-pending-replace"
    IMPORT = "import"
    IMPORT_REPLACEMENT = "import-replacement"


_PARTS_OF_OTHERS: Final = frozenset(
    {
        Op.CREATE_REPLACEMENT,
        Op.DELETE_REPLACED,
        Op.READ_REPLACEMENT,
        Op.IMPORT_REPLACEMENT,
        Op.DISCARD_REPLACED,
        Op.REMOVE_PENDING_REPLACE,
        Op.REFRESH,
    }
)
DELETIONS: Final = frozenset(
    {
        Op.DELETE,
        Op.DELETE_REPLACED,
        Op.DISCARD,
        Op.DISCARD_REPLACED,
        Op.REMOVE_PENDING_REPLACE,
    }
)
# Steps whose result stands in for a resource that is deleted at the end.
REPLACEMENTS: Final = frozenset({Op.CREATE_REPLACEMENT, Op.READ_REPLACEMENT, Op.IMPORT_REPLACEMENT})
PENDING_KINDS: Final[Mapping[Op, str]] = {
    Op.CREATE: "creating",
    Op.CREATE_REPLACEMENT: "creating",
    Op.UPDATE: "updating",
    Op.DELETE: "deleting",
    Op.DELETE_REPLACED: "deleting",
    Op.READ: "reading",
    Op.READ_REPLACEMENT: "reading",
    Op.IMPORT: "importing",
    Op.IMPORT_REPLACEMENT: "importing",
}


@dataclass(slots=True, eq=False)
class Step:
    """One step; `old` and `new` are the resource before and after it.

    `keys` are the properties that force a replacement, `diffs` all that differ. A step that is
    `deleted_before` makes anew what an earlier step of this run, which `makes_way`, has deleted
    already; one that is `skipped` stands for a resource that was left out by the targets.
    """

    op: Op
    old: ResourceState | None = None
    new: ResourceState | None = None
    keys: tuple[str, ...] = ()
    diffs: tuple[str, ...] = ()
    detailed: Mapping[str, DiffKind] | None = None
    deleted_before: bool = False
    makes_way: bool = False
    skipped: bool = False
    refreshed_as: Op | None = None

    @property
    def subject(self) -> ResourceState:
        """The resource the step is about."""
        state = self.new if self.new is not None else self.old
        assert state is not None
        return state

    @property
    def urn(self) -> str:
        """The URN of the resource."""
        return self.subject.urn

    @property
    def is_logical(self) -> bool:
        """Tell a step of its own from one that is part of a replacement or a refresh."""
        return self.op not in _PARTS_OF_OTHERS

    @property
    def is_internal(self) -> bool:
        """Tell the steps that are neither displayed nor counted."""
        return self.op is Op.REMOVE_PENDING_REPLACE or urns.is_default_provider(self.urn)

    @property
    def shown_op(self) -> Op:
        """The kind to display: of a finished refresh, what it found."""
        return self.refreshed_as or self.op

    def metadata(self) -> JsonObject:
        """Describe the step as engine events do."""
        subject = self.subject
        document: JsonObject = {
            "op": self.shown_op.value,
            "urn": subject.urn,
            "type": subject.type,
            "old": _describe(self.old),
            "new": _describe(self.new),
        }
        if self.keys:
            document["keys"] = list(self.keys)
        if self.diffs:
            document["diffs"] = list(self.diffs)
        document["detailedDiff"] = (
            None
            if self.detailed is None
            else {
                path: {"diffKind": kind.value, "inputDiff": False}
                for path, kind in self.detailed.items()
            }
        )
        if self.is_logical:
            document["logical"] = True
        document["provider"] = subject.provider
        return document


def _describe(state: ResourceState | None) -> JsonObject | None:
    if state is None:
        return None
    document: JsonObject = {"type": state.type, "urn": state.urn}
    if state.custom:
        document["custom"] = True
    if state.delete:
        document["delete"] = True
    document |= {"id": state.id, "parent": state.parent}
    for key, flag in (
        ("protect", state.protect),
        ("taint", state.taint),
        ("external", state.external),
        ("retainOnDelete", state.retain_on_delete),
    ):
        if flag:
            document[key] = True
    document |= {
        "inputs": blind(state.inputs),
        "outputs": blind(state.outputs),
        "provider": state.provider,
    }
    if state.init_errors:
        document["initErrors"] = list(state.init_errors)
    return document
