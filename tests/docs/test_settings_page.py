"""The page of settings names every variable and configuration key of the code, and no other."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
PACKAGES = ("architecture", "components", "stacks", "orchestration", "rehearsal")
# Names that begin like this are environment variables wherever they stand in the code.
VARIABLE = re.compile(
    r"(CLOUDSDK|CONDUCTOR|DOCKER|GCE|GOOGLE|HTTPS?|K|LOCALCLOUD|NO|PUBSUB|PULUMI|SSL)_[A-Z0-9_]+"
)
PLAIN_NAME = re.compile(r"[A-Z][A-Z0-9_]*")
SETTING = re.compile(r"conductor:[a-z][A-Za-z]+")
# Read for what the machine itself is: where programs and the user's files are.
OF_THE_MACHINE = {"HOME", "PATH", "PYTHONPATH"}


def nodes(*packages: str) -> Iterator[ast.AST]:
    """Walk through the code of packages."""
    for package in packages:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield from ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def text_of(node: ast.AST | None) -> str:
    """Give a text that stands in the code; nothing for everything else."""
    is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return str(node.value) if is_text and isinstance(node, ast.Constant) else ""


def looked_up(node: ast.AST) -> str:
    """Give the name that a node looks up in the environment by word."""
    if isinstance(node, ast.Subscript) and "environ" in ast.unparse(node.value).casefold():
        return text_of(node.slice)
    if isinstance(node, ast.Call) and node.args:
        called = ast.unparse(node.func)
        if called.endswith(("environ.get", "os.getenv")):
            return text_of(node.args[0])
        if ast.unparse(node.args[0]) == "environ" and len(node.args) > 1:
            return text_of(node.args[1])
    return ""


def variables_of_the_code() -> set[str]:
    """Find every environment variable that the code names."""
    found = set()
    for node in nodes(*PACKAGES):
        name = looked_up(node)
        if PLAIN_NAME.fullmatch(name):
            found.add(name)
        if VARIABLE.fullmatch(text_of(node)):
            found.add(text_of(node))
    return found - OF_THE_MACHINE


def settings_of_the_code() -> set[str]:
    """Find every key of the configuration: whole where it is written, bare where it is read."""
    found = set()
    for node in nodes("orchestration", "stacks"):
        if SETTING.fullmatch(text_of(node)):
            found.add(text_of(node))
        is_read = isinstance(node, ast.Call) and ast.unparse(node.func) in {
            "config.get",
            "_require",
            "_texts",
        }
        if isinstance(node, ast.Call) and is_read and ast.unparse(node).find("(google") < 0:
            key = text_of(node.args[-1])
            if re.fullmatch(r"[a-z][A-Za-z]+", key):
                found.add(f"conductor:{key}")
    return found


def test_every_variable_of_the_code_is_on_the_page() -> None:
    """Who adds a variable says on the page what it is for."""
    rows = re.findall(r"^\| `([A-Z][A-Z0-9_]*)` \|", PAGE, re.MULTILINE)
    assert len(rows) == len(set(rows))
    missing = {name for name in variables_of_the_code() if f"`{name}`" not in PAGE}
    assert missing == set()


def test_every_variable_of_the_page_is_in_the_code() -> None:
    """A variable that is gone leaves the page."""
    texts = {text_of(node) for node in nodes(*PACKAGES)}
    rows = set(re.findall(r"^\| `([A-Z][A-Z0-9_]*)` \|", PAGE, re.MULTILINE))
    assert rows - texts == set()


def test_keys_of_the_configuration_are_those_of_the_code() -> None:
    """The table of a stack's configuration has every key, and no other."""
    rows = set(re.findall(r"^\| `(conductor:\w+)` \|", PAGE, re.MULTILINE))
    assert rows == settings_of_the_code()
