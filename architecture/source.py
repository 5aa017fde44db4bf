"""A file as it was written, and edits that change only what they are about.

Comments, order, quotes and line ends belong to whoever wrote the file. Tools change values in
place; everything else stays as it is, byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from architecture.yaml_tree import Mapping, Node, Scalar, Sequence

_BOM = b"\xef\xbb\xbf"


class NotEditableError(Exception):
    """There is no single value at the place, or it stands with an anchor or a tag."""


@dataclass(frozen=True, slots=True)
class Replacement:
    """A piece of the file's text, as a slice in characters, and what is to stand there."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Source:
    """A file's bytes, its tree with the places of all values, and what is in an older form.

    A file of the older generation, which `is_split`, cannot be edited into today's form.
    """

    content: bytes
    root: Node
    older: tuple[Replacement, ...] = ()
    is_split: bool = False

    def migrated(self) -> bytes:
        """Return the file with every value in its newest form, and nothing else changed."""
        return self.edited(self.older)

    def replacing(self, where: Iterable[str | int], text: str) -> Replacement:
        """Describe an edit: the value at a place becomes this piece of YAML, on one line.

        Raises:
            NotEditableError: no single value stands there that could be replaced.
        """
        node: Node = self.root
        path = tuple(where)
        for step in path:
            node = _child(node, step, path)
        if not isinstance(node, Scalar) or node.start < 0 or "\n" in text:
            raise NotEditableError(f"{'.'.join(map(str, path))} cannot be replaced in place")
        # An empty value has no place of its own: it begins where its key's colon ends.
        is_glued = node.start == node.end and text
        return Replacement(node.start, node.end, f" {text}" if is_glued else text)

    def edited(self, replacements: Iterable[Replacement]) -> bytes:
        """Return the file with pieces replaced; they must not overlap."""
        has_bom = self.content.startswith(_BOM)
        text = self.content.removeprefix(_BOM).decode("utf-8", "surrogatepass")
        pieces: list[str] = []
        at = 0
        for piece in sorted(replacements, key=lambda r: r.start):
            pieces += [text[at : piece.start], piece.text]
            at = piece.end
        edited = "".join([*pieces, text[at:]]).encode("utf-8", "surrogatepass")
        return _BOM + edited if has_bom else edited


def _child(node: Node, step: str | int, path: tuple[str | int, ...]) -> Node:
    if isinstance(node, Mapping):
        for key, value in node.entries:
            if key.text == step:
                return value
    elif isinstance(node, Sequence) and isinstance(step, int) and step < len(node.items):
        return node.items[step]
    raise NotEditableError(f"there is no {'.'.join(map(str, path))}")
