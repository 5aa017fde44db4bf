"""Command lines as the real `pulumi` takes them, parsed into a command and its flags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from rehearsal.engine.errors import EXIT_USAGE, CommandFailedError

_SWITCHES: Final = frozenset(
    """all clear-pending-creates config-path continue-on-error debug diff disable-integrity-checking
    emoji exclude-dependents exclude-protected expect-no-changes fetch-tags force full-dates help
    json logflow logtostderr no-color no-dependencies no-plugins no-select non-interactive
    otel-traces path plaintext preserve-config preview-only profiling-all reinstall remote remove
    run-program secret show-config show-full-output show-reads show-replacement-steps show-sames
    show-secrets show-urns skip-config-validation skip-preview suppress-outputs suppress-progress
    target-dependents use-language-version-tools yes""".split()  # noqa: SIM905 (one a word reads better)
)
_VALUED: Final = frozenset(
    """client color config config-file cwd event-log exclude exec-agent exec-kind file import-file
    memprofilerate message page page-size parallel plan policy-pack policy-pack-config profiling
    replace save-plan secrets-provider stack target target-replace tracing verbose""".split()  # noqa: SIM905 (one a word reads better)
)
# Flags that mean this when they stand without `=`.
_BARE: Final[Mapping[str, str]] = {
    "refresh": "true",
    "attach-debugger": "program",
    "suppress-permalink": "true",
}
_SHORT: Final[Mapping[str, str]] = {
    "C": "cwd",
    "c": "config",
    "d": "debug",
    "e": "emoji",
    "f": "skip-preview",
    "h": "help",
    "j": "json",
    "m": "message",
    "p": "parallel",
    "r": "refresh",
    "s": "stack",
    "t": "target",
    "v": "verbose",
    "y": "yes",
}
FLAGS: Final = _SWITCHES | _VALUED | _BARE.keys()
_GROUPS: Final = frozenset({"stack", "config", "plugin", "org", "policy", "state"})


@dataclass(slots=True)
class Arguments:
    """A parsed command line."""

    positional: list[str] = field(default_factory=list)
    flags: dict[str, list[str]] = field(default_factory=dict)
    # Misspelt, or known to the real engine alone: it is the command's turn to decline first.
    unknown: list[str] = field(default_factory=list)
    words: tuple[str, ...] = ()

    @property
    def command(self) -> tuple[str, ...]:
        """The command's words: `("up",)`, `("stack", "init")`, …."""
        words = self.positional
        size = 2 if words and words[0] in _GROUPS and len(words) > 1 else 1
        if words[:2] == ["stack", "tag"]:
            size = 3
        return tuple(words[:size])

    @property
    def operands(self) -> list[str]:
        """What comes behind the command's words."""
        return self.positional[len(self.command) :]

    def has(self, flag: str) -> bool:
        """Tell whether a switch is on."""
        return self.flags.get(flag, ["false"])[-1] != "false"

    def get(self, flag: str, default: str = "") -> str:
        """Return a flag's last value."""
        return self.flags.get(flag, [default])[-1]

    def all(self, flag: str) -> tuple[str, ...]:
        """Return all values of a repeated flag."""
        return tuple(self.flags.get(flag, ()))

    def number(self, flag: str, default: int) -> int:
        """Return a flag's value as a whole number.

        Raises:
            CommandFailedError: it is none.
        """
        text = self.get(flag)
        try:
            return int(text) if text else default
        except ValueError:
            raise CommandFailedError(
                f'invalid argument "{text}" for "--{flag}" flag', EXIT_USAGE
            ) from None


def parse(words: Sequence[str]) -> Arguments:
    """Parse a command line without the program's name.

    Raises:
        CommandFailedError: a flag lacks its value.
    """
    arguments = Arguments(words=tuple(words))
    # In `config set-all` these two carry a `key=value`.
    takes_pairs = [word for word in words if not word.startswith("-")][:2] == ["config", "set-all"]
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            arguments.positional += rest
            break
        if word == "-" or not word.startswith("-"):
            arguments.positional.append(word)
            continue
        name, equals, value = word.lstrip("-").partition("=")
        if not word.startswith("--"):
            name = _SHORT.get(name, name)
            if word == "-f" and arguments.positional[:1] in (["stack"], ["config"]):
                name = "force"
        if name not in FLAGS:
            arguments.unknown.append(name)
        pairs = takes_pairs and name in {"secret", "plaintext", "json"}
        if not equals:
            value = _value_of(name, rest, is_switch=name in _SWITCHES and not pairs)
        arguments.flags.setdefault(name, []).append(value)
    return arguments


def _value_of(name: str, rest: list[str], *, is_switch: bool) -> str:
    if is_switch or name not in FLAGS:
        return "true"
    if name in _BARE:
        return _BARE[name]
    if not rest:
        raise CommandFailedError(f"flag needs an argument: --{name}", EXIT_USAGE)
    return rest.pop(0)
