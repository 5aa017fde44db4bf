"""The script that writes the reference pages, which lies in no package."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

FILE = Path(__file__).parents[2] / "docs" / "reference" / "regenerate.py"


@pytest.fixture(scope="session")
def regenerate() -> ModuleType:
    """Load the script as a module."""
    spec = importlib.util.spec_from_file_location("regenerate", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
