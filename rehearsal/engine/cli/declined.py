"""What the embedded engine does not do, each with what to use instead.

Whoever declines something raises `errors.DeclinedError`; the words for commands and flags are here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rehearsal.engine.errors import DeclinedError

_EDIT_STATE: Final = "take `stack export`, edit it, and give it back with `stack import`"
_FOLDER_ONLY: Final = "set PULUMI_BACKEND_URL to a folder such as file://./state"
_EDIT_CONFIG: Final = "edit the stack's configuration file"
_PROVIDERS_INCLUDED: Final = "its providers are part of it, there is nothing to install"

_COMMANDS: Final[Mapping[tuple[str, ...], str]] = {
    ("new",): "copy the folder of a project",
    ("watch",): "run `up` after each change",
    ("import",): "give the resource the option `import_` and run `up`",
    ("logs",): "read the logs where the cloud keeps them",
    ("login",): _FOLDER_ONLY,
    ("logout",): _FOLDER_ONLY,
    ("env",): _EDIT_CONFIG,
    ("config", "env"): _EDIT_CONFIG,
    ("config", "cp"): "copy the values from one stack's configuration file to the other's",
    ("plugin", "install"): _PROVIDERS_INCLUDED,
    ("plugin", "rm"): _PROVIDERS_INCLUDED,
    ("state", "delete"): _EDIT_STATE,
    ("state", "edit"): _EDIT_STATE,
    ("state", "move"): _EDIT_STATE,
    ("state", "rename"): "give the resource the option `aliases` and run `up`",
    ("state", "protect"): "give the resource the option `protect` and run `up`",
    ("state", "unprotect"): "take the option `protect` from the resource and run `up`",
    ("state", "repair"): _EDIT_STATE,
    ("stack",): "run `stack ls`, `stack output` or `stack export`",
    ("stack", "graph"): "read the dependencies in `stack export`",
    ("stack", "unselect"): "name the stack with `--stack`",
    ("stack", "rename"): "create a stack of the new name, and give resources to keep `import_`",
}
_FLAGS: Final[Mapping[str, str]] = {
    "client": "put the program into a folder and give it as `work_dir`",
    "attach-debugger": "debug the program against mocks (`pulumi.runtime.set_mocks`)",
    "run-program": "leave it out: refresh and destroy go by the state",
    "import-file": "give the resource the option `import_`",
    "remote": "run the operation here",
    "policy-pack": "check the steps that `preview --json` prints",
    "policy-pack-config": "check the steps that `preview --json` prints",
    "remove": "run `stack rm` after `destroy`",
}
_FLAG_NAMES: Final[Mapping[str, str]] = {"client": "an inline program (`--client`)"}


def command(words: tuple[str, ...]) -> DeclinedError:
    """Decline a command."""
    return DeclinedError(f"`pulumi {' '.join(words)}`", _COMMANDS.get(words, ""))


def flag(name: str) -> DeclinedError:
    """Decline a flag."""
    return DeclinedError(_FLAG_NAMES.get(name, f"`--{name}`"), _FLAGS.get(name, ""))


def flags() -> tuple[str, ...]:
    """Name the flags that are understood, and declined when they are on."""
    return tuple(_FLAGS)
