"""Build contexts: the same bytes for the same sources, and nothing written to the sources."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestration.artifacts.contexts import BuildContexts, ServiceSource
from orchestration.errors import UsageError


@pytest.fixture
def source(tmp_path: Path) -> ServiceSource:
    """A small service."""
    folder = tmp_path / "src" / "cart"
    (folder / "lib").mkdir(parents=True)
    (folder / "main.py").write_text("print(1)\n")
    (folder / "lib" / "stock.py").write_text("N = 1\n")
    (folder / "secret.env").write_text("PASSWORD=x\n")
    (folder / ".dockerignore").write_text("*.env\n")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "main.pyc").write_text("x")
    return ServiceSource("cart", folder, {})


@pytest.fixture
def resources(tmp_path: Path) -> Path:
    """A generated resources file."""
    path = tmp_path / "generated.yaml"
    path.write_text("topics: []\n")
    return path


def listing(folder: Path) -> dict[str, tuple[str, int]]:
    """Read every file with its time."""
    return {
        path.relative_to(folder).as_posix(): (path.read_text(), int(path.stat().st_mtime))
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_context_holds_sources_and_generated_files(
    tmp_path: Path, source: ServiceSource, resources: Path
) -> None:
    """0.7, design 5: ignored files stay out, generated ones come in."""
    context = BuildContexts(tmp_path / "contexts").prepare(source, resources)
    assert set(listing(context)) == {".dockerignore", "main.py", "lib/stock.py", "resources.yaml"}


def test_preparing_twice_gives_the_same_bytes_and_times(
    tmp_path: Path, source: ServiceSource, resources: Path
) -> None:
    """A context does not depend on when it was made."""
    contexts = BuildContexts(tmp_path / "contexts")
    first = listing(contexts.prepare(source, resources))
    os.utime(source.folder / "main.py", (2_000_000_000, 2_000_000_000))
    assert listing(contexts.prepare(source, resources)) == first


def test_a_file_that_is_gone_from_the_sources_leaves_the_context(
    tmp_path: Path, source: ServiceSource, resources: Path
) -> None:
    """A context is a mirror: deleted sources are not built any more."""
    contexts = BuildContexts(tmp_path / "contexts")
    contexts.prepare(source, resources)
    (source.folder / "lib" / "stock.py").unlink()
    context = contexts.prepare(source, resources)
    assert not (context / "lib").exists()


def test_the_sources_are_not_written_to(
    tmp_path: Path, source: ServiceSource, resources: Path
) -> None:
    """G17: nothing is generated into the user's tree."""
    before = listing(source.folder)
    BuildContexts(tmp_path / "contexts").prepare(source, resources)
    assert listing(source.folder) == before


def test_a_missing_template_is_taken_from_the_folder_under_its_new_name(
    tmp_path: Path, source: ServiceSource, resources: Path
) -> None:
    """Design 3: a template on somebody else's disk is found by its destination's name."""
    (source.folder / "cart.yaml").write_text("a: 1\n")
    elsewhere = ServiceSource("cart", source.folder, {"C:\\Temp\\x.yaml": "cart.yaml"})
    context = BuildContexts(tmp_path / "contexts").prepare(elsewhere, resources)
    assert (context / "cart.yaml").read_text() == "a: 1\n"


def test_a_template_that_is_nowhere_is_an_error(
    tmp_path: Path, source: ServiceSource, resources: Path
) -> None:
    """Design 3: neither there nor here is said with both names."""
    elsewhere = ServiceSource("cart", source.folder, {"C:\\Temp\\x.yaml": "cart.yaml"})
    with pytest.raises(UsageError, match=r"cart\.yaml"):
        BuildContexts(tmp_path / "contexts").prepare(elsewhere, resources)
