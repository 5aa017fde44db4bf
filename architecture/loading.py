"""Read an architecture file: text to tree, tree to model, all findings in one pass.

Nothing but the file itself is looked at: whether source folders exist is checked where they are
used. No content makes `load` raise anything but `InvalidArchitecture`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from architecture.binding import bind
from architecture.checks import check
from architecture.findings import Finding, InvalidArchitecture, Severity, one_line
from architecture.generations import deployment_file, to_newest
from architecture.generations import is_older as is_older_generation
from architecture.model import Architecture
from architecture.source import Replacement, Source
from architecture.yaml_tree import Mapping, Node, Scalar, UnreadableYaml, locate, parse

MAX_BYTES: Final = 10_000_000
"""A larger file is no architecture; one with 3,000 services has some 3 MB."""
MAX_ITEMS: Final = 250_000
"""Lines and commas; one with 3,000 services has some 100,000. Counting them costs nothing, reading
what is behind them does."""
MAX_MESSAGE: Final = 500
"""Messages quote what others wrote, which can be of any length."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A usable architecture, what should be better in its file, and the file itself."""

    architecture: Architecture
    warnings: tuple[Finding, ...]
    path: Path
    source: Source


@dataclass(slots=True)
class _Findings:
    """Collects what is wrong in one file, and what would be written otherwise today."""

    path: Path
    replacements: dict[tuple[int, int], Replacement] = field(default_factory=dict)
    found: dict[Finding, None] = field(default_factory=dict)

    def add(
        self, severity: Severity, rule: str, place: tuple[int, int], message: str, fix: str
    ) -> None:
        message, fix = one_line(message, MAX_MESSAGE), one_line(fix, MAX_MESSAGE)
        # The same text can be reached many times, through aliases.
        self.found[Finding(rule, severity, self.path, *place, message, fix)] = None

    def older(self, node: Scalar, text: str) -> None:
        if node.start >= 0:
            self.replacements[node.start, node.end] = Replacement(node.start, node.end, text)

    def refused(self, rule: str, message: str, fix: str) -> InvalidArchitecture:
        self.add(Severity.ERROR, rule, (0, 0), message, fix)
        return InvalidArchitecture(self.found)

    def in_order(self) -> tuple[Finding, ...]:
        """Return the findings in the file's order."""
        return tuple(sorted(self.found, key=lambda f: (f.line, f.column, f.rule, f.message)))


def load(path: Path) -> Loaded:
    """Read, check and return the architecture of a file.

    Raises:
        InvalidArchitecture: the file cannot be read or has errors; carries all of them.
    """
    findings = _Findings(path)
    content = _read(path, findings)
    try:
        return _understand(content.decode("utf-8-sig"), content, findings)
    except UnicodeDecodeError as error:
        message = f"byte {error.start} of the file is not UTF-8"
        raise findings.refused("not-utf8", message, "save the file as UTF-8") from None


def loads(text: str, path: Path) -> Loaded:
    """Check and return the architecture of a text; `path` is only named in findings.

    Raises:
        InvalidArchitecture: the text has errors; carries all of them.
    """
    return _understand(text, text.encode("utf-8", "surrogatepass"), _Findings(path))


def dump(loaded: Loaded) -> bytes:
    """Return the file as it was read, byte for byte."""
    return loaded.source.content


def _read(path: Path, findings: _Findings) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise findings.refused("no-file", "there is no such file", "check the path") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        message = f"the file cannot be read: {reason}"
        raise findings.refused("unreadable-file", message, "check its rights") from None
    if len(content) > MAX_BYTES:
        message = f"the file is larger than {MAX_BYTES:,} bytes"
        raise findings.refused("too-large", message, "is it an architecture file?")
    return content


def _understand(text: str, content: bytes, findings: _Findings) -> Loaded:
    if text.count("\n") + text.count(",") > MAX_ITEMS:
        message = f"the file has more than {MAX_ITEMS:,} lines and list items"
        raise findings.refused("too-large", message, "is it an architecture file?")
    try:
        root = parse(text)
    except UnreadableYaml as error:
        place = (error.line, error.column)
        findings.add(Severity.ERROR, error.rule, place, error.message, error.fix)
        raise InvalidArchitecture(findings.in_order()) from None
    if root is None:
        raise findings.refused("empty-file", "the file is empty", "start with `name:`")
    is_older = is_older_generation(root)
    if is_older:
        root = _joined(root, findings)
    architecture = bind(root, Architecture, findings.add, findings.older)
    _check(architecture, root, findings)
    found = findings.in_order()
    if any(finding.severity is Severity.ERROR for finding in found):
        raise InvalidArchitecture(found)
    source = Source(content, root, tuple(findings.replacements.values()), is_split=is_older)
    return Loaded(architecture, found, findings.path, source)


def _joined(root: Node, findings: _Findings) -> Node:
    """Join a services file of the older generation with the deployment file beside it."""
    assert isinstance(root, Mapping), "nothing else is of the older generation"
    beside = deployment_file(findings.path)
    deployment = None
    if beside is not None and beside.is_file():
        apart = _Findings(beside)
        try:
            deployment = parse(_read(beside, apart).decode("utf-8-sig"))
        except UnicodeDecodeError:
            raise apart.refused("not-utf8", "the file is not UTF-8", "save it as UTF-8") from None
        except UnreadableYaml as error:
            place = (error.line, error.column)
            apart.add(Severity.ERROR, error.rule, place, error.message, error.fix)
            raise InvalidArchitecture(apart.in_order()) from None
    return to_newest(root, deployment, findings.add)


def _check(architecture: Architecture, root: Node, findings: _Findings) -> None:
    for problem in check(architecture):
        place = locate(root, problem.where)
        findings.add(problem.severity, problem.rule, place, problem.message, problem.fix)
