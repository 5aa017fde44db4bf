"""What the keys of the architecture file mean: the texts below the models' fields.

They are read from the source when a reference is written, so that no run pays for them.
"""

from __future__ import annotations

import ast
import functools
import inspect
import sys
from dataclasses import dataclass
from itertools import pairwise

from architecture.values import Model

_GOES_TO = "Goes to "
_NOT_HERE = "Not here"


@dataclass(frozen=True, slots=True)
class Description:
    """What a key means, and where its value goes; the latter is empty for mere structure."""

    meaning: str
    goes_to: str = ""

    @property
    def is_allowed(self) -> bool:
        """Whether a file may have the key: some models inherit one that makes no sense in them."""
        return not self.meaning.startswith(_NOT_HERE)


class UndescribedFieldError(Exception):
    """A field has no text below it."""


def summary(model: type[Model]) -> str:
    """Return in a sentence or two what a model stands for."""
    return _paragraphs(inspect.getdoc(model) or "")[0]


def describe(model: type[Model], field: str) -> Description:
    """Return the text below a field of a model, or of the model it has the field from.

    Raises:
        UndescribedFieldError: there is none.
    """
    for ancestor in model.__mro__:
        text = _texts(ancestor.__module__).get((ancestor.__name__, field))
        if text is not None:
            meaning, *rest = _paragraphs(text)
            goes_to = " ".join(rest).removeprefix(_GOES_TO).removesuffix(".")
            return Description(meaning, goes_to)
    raise UndescribedFieldError(f"{model.__name__}.{field} has no text below it")


@functools.cache
def _texts(module: str) -> dict[tuple[str, str], str]:
    """Return the texts below the fields of a module's classes."""
    texts: dict[tuple[str, str], str] = {}
    if not module.startswith(f"{__package__}."):
        return texts
    for item in ast.parse(inspect.getsource(sys.modules[module])).body:
        if isinstance(item, ast.ClassDef):
            for above, below in pairwise(item.body):
                match above, below:
                    case (
                        ast.AnnAssign(target=ast.Name(id=field)),
                        ast.Expr(value=ast.Constant(value=str(text))),
                    ):
                        texts[item.name, field] = inspect.cleandoc(text)
    return texts


def _paragraphs(text: str) -> list[str]:
    return [" ".join(paragraph.split()) for paragraph in text.split("\n\n")]
