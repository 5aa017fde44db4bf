"""Options that several commands take, each written once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ArchitectureFile = Annotated[
    Path, typer.Argument(metavar="ARCH", help="The architecture file (services.yaml).")
]
EnvironmentName = Annotated[str, typer.Option("--env", help="The environment's name.")]
TargetChoice = Annotated[
    str | None,
    typer.Option("--target", help="Where the environment lives, when it is made: local or google."),
]
StateBucket = Annotated[
    str | None,
    typer.Option(
        "--state-bucket",
        metavar="gs://BUCKET",
        help="Where the stacks' state is, for target google; the environment keeps it.",
    ),
]
SecretsProvider = Annotated[
    str | None,
    typer.Option(
        "--secrets-provider",
        metavar="gcpkms://KEY",
        help="What the stacks' secrets are behind, for target google; the environment keeps it.",
    ),
]
Project = Annotated[
    str | None, typer.Option("--project", help="The project of a file that names none.")
]
SourceRoot = Annotated[
    Path | None, typer.Option("--source-root", help="Replaces every source_path of the file.")
]
Suffix = Annotated[
    str | None,
    typer.Option(
        "--suffix",
        metavar="ID",
        help="What the names of a test run end in; an environment keeps the one it is made with.",
    ),
]
Placeholders = Annotated[
    bool,
    typer.Option(
        "--placeholders", help="Have a marked stand-in deployed where a service has no source."
    ),
]
Engine = Annotated[
    str, typer.Option("--engine", help="Pulumi's engine: auto, embedded, or the real pulumi.")
]
Builder = Annotated[
    str,
    typer.Option(
        "--builder",
        help="What builds images: docker, assemble (no docker needed), or auto, which is what the "
        "environment was last deployed with, at first assemble.",
    ),
]
Refresh = Annotated[
    bool, typer.Option("--refresh/--no-refresh", help="Look for drift before comparing.")
]
DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        envvar="CONDUCTOR_DATABASE_URL",
        show_envvar=False,
        metavar="URL",
        help="The PostgreSQL in which runs are kept; by default a file of the environment.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON lines instead of text.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]
