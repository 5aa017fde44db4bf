"""What the backend has recorded of an environment's stacks, read through the Automation API."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pulumi.automation import (
    CommandError,
    LocalWorkspace,
    LocalWorkspaceOptions,
    OutputMap,
    PulumiCommand,
    Stack,
    StackNotFoundError,
    create_or_select_stack,
    select_stack,
)

from orchestration.automation.events import EventReader
from orchestration.automation.failures import failure
from orchestration.automation.results import HeldResource, Json, ignore_event


@dataclass(frozen=True, slots=True)
class StackHome:
    """Where the stacks live: the project's folder, the state backend, what its secrets are behind.

    That is a passphrase in a file, or a key as Pulumi names it (`gcpkms://…`).
    """

    project_dir: Path
    backend_url: str
    passphrase_file: Path | None = None
    pulumi_home: Path | None = None
    secrets_provider: str = ""

    @property
    def is_remote(self) -> bool:
        """Whether reaching the state takes credentials."""
        return not self.backend_url.startswith("file://")

    def environ(self) -> dict[str, str]:
        """Give the variables that point Pulumi at them."""
        variables = {
            "PULUMI_BACKEND_URL": self.backend_url,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }
        if self.passphrase_file is not None:
            variables["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(self.passphrase_file)
        if self.pulumi_home is not None:
            variables["PULUMI_HOME"] = str(self.pulumi_home)
        return variables


class StackRecords:
    """Reads single stacks, and lists them; safe to use from several threads.

    `credentials` is asked before every operation, so that a token never outlives its hour.
    """

    def __init__(
        self,
        home: StackHome,
        command: PulumiCommand,
        credentials: Callable[[], Mapping[str, str]],
    ) -> None:
        self._home = home
        self._command = command
        self._credentials = credentials

    def existing(self, prefix: str) -> tuple[str, ...]:
        """Name the stacks of the backend whose names begin so, sorted.

        Raises:
            StackFailed: the backend refused.
        """
        return tuple(self.resource_counts(prefix))

    def resource_counts(self, prefix: str) -> Mapping[str, int]:
        """Count what each stack holds whose name begins so, sorted by name.

        Raises:
            StackFailed: the backend refused.
        """
        workspace = LocalWorkspace(
            work_dir=str(self._home.project_dir),
            # Only the state is looked at: a local cloud may be away.
            env_vars=self._variables({}) if self._home.is_remote else self._home.environ(),
            pulumi_command=self._command,
        )
        with told(f"{prefix}*"):
            found = {item.name: item.resource_count or 0 for item in workspace.list_stacks()}
        return {name: found[name] for name in sorted(found) if name.startswith(prefix)}

    def resources(self, stack: str) -> tuple[HeldResource, ...]:
        """Read what the stack holds, in the order in which it was made.

        Raises:
            StackFailed: the backend refused.
        """
        held = self.exported(stack).get("resources") or []
        return tuple(
            HeldResource(
                urn=item["urn"],
                type=item["type"],
                name=item["urn"].rpartition("::")[2],
                parent=item.get("parent", ""),
                is_custom=bool(item.get("custom")),
                is_protected=bool(item.get("protect")),
                inputs=item.get("inputs", {}),
            )
            for item in held
        )

    def exported(self, stack: str) -> Mapping[str, Any]:
        """Export what the stack is, as Pulumi writes it; secrets in it are encrypted.

        Raises:
            StackFailed: the backend refused.
        """
        with told(stack):
            return self._open(stack).export_stack().deployment or {}

    def outputs(self, stack: str) -> Mapping[str, Json] | None:
        """Read the stack's recorded outputs; None when it was never made.

        Raises:
            StackFailed: the backend refused, or the passphrase is not the stack's.
        """
        try:
            found = select_stack(
                stack, work_dir=str(self._home.project_dir), opts=self._options({})
            )
            return plain_outputs(found.outputs())
        except StackNotFoundError:
            return None
        except CommandError as error:
            raise failure(stack, error, EventReader(stack, ignore_event)) from error

    def _open(self, stack: str, extra: Mapping[str, str] | None = None) -> Stack:
        return create_or_select_stack(
            stack, work_dir=str(self._home.project_dir), opts=self._options(extra or {})
        )

    def _options(self, extra: Mapping[str, str]) -> LocalWorkspaceOptions:
        return LocalWorkspaceOptions(
            env_vars=self._variables(extra),
            pulumi_command=self._command,
            # Read when a stack is made; later its own configuration says it.
            secrets_provider=self._home.secrets_provider or None,
        )

    def _variables(self, extra: Mapping[str, str]) -> dict[str, str]:
        return {**self._home.environ(), **self._credentials(), **extra}


@contextmanager
def told(stack: str) -> Iterator[None]:
    """Put what the engine says of a failure into our words."""
    try:
        yield
    except CommandError as error:
        raise failure(stack, error, EventReader(stack, ignore_event)) from error


def plain_outputs(outputs: OutputMap) -> dict[str, Json]:
    """Give the values of outputs by their names, secrets' too."""
    return {name: output.value for name, output in outputs.items()}
