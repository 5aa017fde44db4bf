"""What the director's image is built from, for Google's cloud.

On one machine the director works in the project's own folders. In a container of Google's it has
none, so its image takes them along: this project, and what the stacks of one environment's
dataflows read. The Dockerfile is the product's own, unless the director's folder has one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orchestration
from architecture.model import Architecture
from orchestration.artifacts.contexts import ServiceSource, files_of, template_files
from orchestration.artifacts.generator import FILE_NAME
from orchestration.environments import Environment
from orchestration.errors import UsageError

# Where the image has the project; stack configuration is relative to it.
WORKSPACE = "workspace"
# All of pyproject.toml's `module-name`: the project installs as a whole or not at all.
PACKAGES = ("architecture", "components", "orchestration", "policies", "rehearsal", "stacks")
PROJECT_FILES = ("README.md", "pyproject.toml", "requirements.lock")
DOCKERFILE = "Dockerfile"
MAIN = "main.py"


def director_context(
    environment: Environment, architecture: Architecture, source: ServiceSource
) -> dict[str, Path]:
    """Give the files of the director's build context, by their places in it.

    Raises:
        UsageError: this is no checkout of the project, or the director's folder has no program.
    """
    own = dict(files_of(source.folder)) | template_files(source)
    if MAIN not in own and DOCKERFILE not in own:
        raise UsageError(
            f"service {source.name}: {source.folder} has neither {MAIN} nor a {DOCKERFILE}",
            hint="testdata/services/servicedirector has a main.py to start from",
        )
    root = Path(orchestration.__file__).parents[1]
    wanted = {
        DOCKERFILE: own.pop(DOCKERFILE, root / "orchestration" / "director" / DOCKERFILE),
        "Pulumi.yaml": environment.settings.project_dir / "Pulumi.yaml",
        **{name: root / name for name in PROJECT_FILES},
        **dict(_program(root)),
        **dict(_read_by_stacks(environment, architecture)),
        **{f"service/{relative}": path for relative, path in own.items()},
        f"service/{FILE_NAME}": environment.generated_dir / source.name / FILE_NAME,
    }
    absent = sorted(name for name, path in wanted.items() if not path.is_file())
    if absent:
        raise UsageError(
            f"the director's image is made of this project's checkout, and {root} lacks"
            f" {', '.join(absent)}",
            hint="run conductor from a checkout of the project",
        )
    return wanted


def _program(root: Path) -> Iterator[tuple[str, Path]]:
    for package in PACKAGES:
        for relative, path in files_of(root / package):
            yield f"{package}/{relative}", path


def _read_by_stacks(
    environment: Environment, architecture: Architecture
) -> Iterator[tuple[str, Path]]:
    """Yield the architecture, the dataflow stacks' configuration, and files that those name.

    They lie below `root/`, which becomes the image's root: an absolute path stays what it is.
    """
    project = environment.settings.project_dir
    read = [environment.architecture_file]
    if environment.overrides_file.is_file():
        read.append(environment.overrides_file)
    stacks = f"Pulumi.{environment.name}.dataflow.*.yaml"
    read += sorted(environment.settings.stack_config_dir.glob(stacks))
    for path in read:
        yield f"root/{WORKSPACE}/{path.relative_to(project).as_posix()}", path
    for flow in architecture.dataflows.values():
        for table in flow.resources.bigquery_tables:
            if table.schema_file:
                yield f"root{table.schema_file}", Path(table.schema_file)
