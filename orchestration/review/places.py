"""What in a value only says on which machine, in which folder, a preview was made.

The preview runs in one job of a pipeline and the deployment in another, each in a checkout of its
own: the same change must have the same fingerprint in both. What an image is made of is in its
context's digest, wherever that lies.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from orchestration.automation.results import Json, PlannedStep


@dataclass(frozen=True, slots=True)
class Places:
    """Texts that stand for a place here, and what is shown and compared in place of each."""

    stand_ins: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, *, project: Path, environment: Path, registry: str = "") -> Places:
        """Name the places of one environment.

        Args:
            project: the Pulumi project's folder.
            environment: the environment's own folder.
            registry: host and port of the local cloud's registry, where there is one.
        """
        named = {
            str(environment): "<environment>",
            str(project): "<project>",
            registry: "<local registry>",
        }
        return cls({text: stand_in for text, stand_in in named.items() if text})

    def left_out_of(self, step: PlannedStep) -> PlannedStep:
        """Give the step without them."""
        return replace(
            step,
            before={key: self._without(value) for key, value in step.before.items()},
            after={key: self._without(value) for key, value in step.after.items()},
        )

    def _without(self, value: Json) -> Json:
        if isinstance(value, str):
            for text, stand_in in self._longest_first():
                value = value.replace(text, stand_in)
            return value
        if isinstance(value, dict):
            return {key: self._without(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._without(item) for item in value]
        return value

    def _longest_first(self) -> Iterator[tuple[str, str]]:
        """Go from the innermost folder outwards."""
        yield from sorted(self.stand_ins.items(), key=lambda one: -len(one[0]))


# Where no value says anything of the kind.
NOWHERE = Places()
