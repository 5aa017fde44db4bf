"""The pages of commands, errors and exit codes say what the code says, no more, no less."""

import re
from pathlib import Path
from types import ModuleType

import pytest
import typer

from orchestration.cli.main import app

FOLDER = Path(__file__).parents[2] / "docs" / "reference"

GENERATED = (
    "api.md",
    "commands.md",
    "errors.md",
    "exit-codes.md",
    "openapi.json",
    "preview.schema.json",
    "run-report.schema.json",
)


@pytest.mark.parametrize("name", GENERATED)
def test_page_is_what_the_code_says(regenerate: ModuleType, name: str) -> None:
    """A page that is behind the code fails, in both directions: `make docs` writes it anew."""
    pages = regenerate.pages()
    assert set(pages) == set(GENERATED)
    assert (FOLDER / name).read_text(encoding="utf-8") == pages[name], "run `make docs`"


def test_every_option_of_every_command_is_on_the_page(regenerate: ModuleType) -> None:
    """The page has each spelling of each option, under its own command's heading."""
    page = (FOLDER / "commands.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))
    leaves = dict(regenerate.leaves(typer.main.get_command(app), ("conductor",)))
    assert sections.keys() == leaves.keys()
    for name, command in leaves.items():
        for option in command.params:
            if option.param_type_name == "option":
                for spelling in (*option.opts, *option.secondary_opts):
                    assert f"`{spelling}`" in sections[name], f"{name} {spelling}"


def test_every_command_says_what_it_and_its_options_are(regenerate: ModuleType) -> None:
    """A row without a meaning helps nobody."""
    for name, command in regenerate.leaves(typer.main.get_command(app), ("conductor",)):
        assert command.help, name
        assert [one.name for one in command.params if not one.help] == [], name


def test_every_exit_code_of_an_error_is_explained(regenerate: ModuleType) -> None:
    """A new exit code needs its words."""
    assert {kind.exit_code for kind in regenerate.error_classes()} <= regenerate.EXIT_CODES.keys()


def test_errors_of_other_modules_are_found(regenerate: ModuleType) -> None:
    """Errors that live beside what raises them are on the page, each with a docstring."""
    found = {kind.__module__ for kind in regenerate.error_classes()}
    assert {"orchestration.errors", "orchestration.durable.database"} <= found
    assert all(regenerate.meaning(kind) for kind in regenerate.error_classes())


def test_no_two_errors_share_a_code(regenerate: ModuleType) -> None:
    """A script that sees a code knows what it means."""
    codes = [kind.code for kind in regenerate.error_classes()]
    assert len(codes) == len(set(codes))
