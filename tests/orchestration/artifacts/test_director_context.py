"""The director's image for Google's cloud: what it is built from, and in which versions."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from architecture.hydration import hydrate
from architecture.loading import loads
from architecture.model import Architecture
from architecture.rendering import to_yaml
from orchestration.artifacts.director_context import PACKAGES
from orchestration.artifacts.planner import ContextPreparer
from orchestration.automation.config import StackConfigFiles
from orchestration.automation.plugins import required_plugins
from orchestration.environments import Environment, TargetName
from orchestration.errors import UsageError
from orchestration.settings import Settings

ROOT = Path(__file__).parents[3]
DOCKERFILE = (ROOT / "orchestration" / "director" / "Dockerfile").read_text()
LOCK = (ROOT / "requirements.lock").read_text()
TEXT = """
name: shop
project_id: shop-project
region: europe-west1
service_manager_spec:
  name: director
  service_account: director-sa
  deployment: {source_path: director}
  command_topic: {name: commands}
  completion_topic: {name: completions}
dataflows:
  orders:
    services: {}
    resources:
      bigquery_datasets: [{name: events}]
      bigquery_tables: [{name: orders, dataset: events, schema_file: columns.json}]
"""


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """An environment as phases 0 to 2 leave it."""
    (tmp_path / "Pulumi.yaml").write_text("name: conductor\nruntime: python\n")
    (tmp_path / "director").mkdir()
    (tmp_path / "director" / "main.py").write_text("print()\n")
    (tmp_path / "columns.json").write_text(json.dumps([{"name": "id", "type": "STRING"}]))
    monkeypatch.setenv("CONDUCTOR_PROJECT_DIR", str(tmp_path))
    environment = Environment("prod", Settings.from_environment())
    environment.generated_dir.joinpath("director").mkdir(parents=True)
    environment.generated_dir.joinpath("director", "resources.yaml").write_text("topics: []\n")
    environment.architecture_file.write_text(to_yaml(architecture(tmp_path)))
    files = StackConfigFiles(environment.settings.stack_config_dir, "prod")
    for stack in ("prod.foundation", "prod.dataflow.orders", "prod.services.orders"):
        files.write(stack, {"conductor:environment": "prod"})
    return environment


def architecture(folder: Path) -> Architecture:
    """Hydrate the sample."""
    return hydrate(loads(TEXT, folder / "shop.yaml").architecture, base_dir=folder)


def context(environment: Environment) -> Path:
    """Lay the director's context out, as phase 3 does on Google's cloud."""
    folder = environment.settings.project_dir
    prepared = ContextPreparer(environment, architecture(folder), TargetName.GOOGLE).prepare()
    assert prepared == 1
    return environment.contexts_dir / "director"


def instructions(text: str) -> list[tuple[str, str]]:
    """Give a Dockerfile's instructions with their words; continued lines are one."""
    joined = re.sub(r"\\\n\s*", "", text)
    lines = [line for line in joined.splitlines() if line and not line.startswith("#")]
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in lines]


def test_everything_that_is_copied_is_in_the_context(environment: Environment) -> None:
    """`docker build` finds each source, and nothing lies in the context in vain."""
    folder = context(environment)
    copied = [words.split()[:-1] for word, words in instructions(DOCKERFILE) if word == "COPY"]
    sources = {source.rstrip("/") for group in copied for source in group}
    for source in sources:
        assert (folder / source).exists(), source
    assert {item.name for item in folder.iterdir()} == {*sources, "Dockerfile"}
    assert (folder / "Dockerfile").read_text() == DOCKERFILE


def test_the_stacks_find_what_they_read_where_it_was(environment: Environment) -> None:
    """The architecture and the dataflows' configuration in the project, other files in place."""
    root = context(environment) / "root"
    project = root / "workspace"
    held = sorted(str(path.relative_to(project)) for path in project.rglob("*") if path.is_file())
    assert held == [
        ".conductor/prod/architecture.yaml",
        "environments/Pulumi.prod.dataflow.orders.yaml",
    ]
    sent = environment.architecture_file.read_bytes()
    assert (project / ".conductor" / "prod" / "architecture.yaml").read_bytes() == sent
    columns = environment.settings.project_dir / "columns.json"
    assert (root / str(columns).lstrip("/")).read_bytes() == columns.read_bytes()


def test_the_same_project_gives_the_same_context(environment: Environment) -> None:
    """Twice the same bytes and times, and no caches of Python: an unchanged director stays."""

    def held() -> dict[str, tuple[int, float]]:
        folder = context(environment)
        return {
            str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime)
            for path in folder.rglob("*")
            if path.is_file()
        }

    first = held()
    assert held() == first
    assert not [name for name in first if "__pycache__" in name or name.endswith(".pyc")]


def test_a_directors_own_dockerfile_is_used(environment: Environment) -> None:
    """Who needs more of the image writes it, and finds the same files to copy."""
    own = environment.settings.project_dir / "director" / "Dockerfile"
    own.write_text("FROM base:1\n")
    folder = context(environment)
    assert (folder / "Dockerfile").read_text() == "FROM base:1\n"
    assert not (folder / "service" / "Dockerfile").exists()
    assert (folder / "stacks" / "__main__.py").is_file()


def test_a_director_without_a_program_is_refused(environment: Environment) -> None:
    """One line that says what is missing, before anything is built."""
    (environment.settings.project_dir / "director" / "main.py").unlink()
    with pytest.raises(UsageError, match=r"neither main\.py nor a Dockerfile"):
        context(environment)


def test_the_image_has_every_package_of_the_project() -> None:
    """Its installation fails where one that pyproject.toml names is not there."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert list(PACKAGES) == project["tool"]["uv"]["build-backend"]["module-name"]
    copied = {words for word, words in instructions(DOCKERFILE) if word == "COPY"}
    assert {f"{package}/ {package}/" for package in PACKAGES} <= copied


def test_engine_and_plugins_have_the_versions_of_the_lock() -> None:
    """What runs in the image is what the tests ran with."""
    locked = dict(re.findall(r"^([a-z0-9-]+)==([^\s;\\]+)", LOCK, re.MULTILINE))
    (base,) = (words for word, words in instructions(DOCKERFILE) if word == "FROM")
    assert base == f"pulumi/pulumi-python-3.11:{locked['pulumi']}"
    installed = [
        json.loads(words)[3:] for word, words in instructions(DOCKERFILE) if '"plugin"' in words
    ]
    assert sorted(map(tuple, (words[1:] for words in installed))) == sorted(
        (name, locked[f"pulumi-{name}"]) for name in ("docker", "gcp")
    )
    assert {(item.name, item.version) for item in required_plugins()} == {
        (name, locked[f"pulumi-{name}"]) for name in ("docker", "gcp")
    }


def test_the_image_is_pinned_and_runs_as_nobody() -> None:
    """Hashes are checked, no shell is between Cloud Run's signals and the director, no root."""
    found = instructions(DOCKERFILE)
    assert all(
        words.startswith("[") for word, words in found if word in {"CMD", "ENTRYPOINT", "RUN"}
    )
    (install,) = (json.loads(words) for word, words in found if 'requirements.lock"]' in words)
    assert "--require-hashes" in install
    assert [words for word, words in found if word == "USER"] == ["65532:65532"]
    # The user comes last: what is below it is root's, and may be read only.
    assert [word for word, _ in found][-3:] == ["USER", "ENTRYPOINT", "CMD"]
    assert "latest" not in DOCKERFILE
    assert "@sha256:" not in DOCKERFILE
