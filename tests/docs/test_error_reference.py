"""The page of error codes says what `orchestration.errors` says, no more and no less."""

import inspect
from pathlib import Path

from orchestration import errors

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "errors.md"


def test_error_page_has_every_code_and_no_other() -> None:
    """Each error class has one row with its code, exit code and meaning; no row is left over."""
    expected = {
        f"| `{kind.code}` | {kind.exit_code} | {(inspect.getdoc(kind) or '').splitlines()[0]} |"
        for kind in vars(errors).values()
        if inspect.isclass(kind) and issubclass(kind, errors.ConductorError)
    }
    rows = {line for line in PAGE.read_text().splitlines() if line.startswith("| `")}
    assert rows == expected
