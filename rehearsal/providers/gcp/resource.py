"""What every gcp resource type does: check, compare, plan; its calls are the types' own.

A type states its fields, its id and where it differs.
"""

from __future__ import annotations

import re
import string
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from rehearsal.engine.provider import (
    UNKNOWN,
    CheckFailure,
    CheckResult,
    CreateResult,
    Properties,
    ProviderError,
    ReadResult,
    Unknown,
    Value,
)
from rehearsal.providers.checking import check_inputs
from rehearsal.providers.comparing import Comparison, compare
from rehearsal.providers.gcp import labels
from rehearsal.providers.gcp.policies import PolicyEditor
from rehearsal.providers.gcp.settings import Settings
from rehearsal.providers.planning import inputs_from_outputs, planned_outputs
from rehearsal.providers.properties import plain
from rehearsal.providers.rest import RestClient
from rehearsal.providers.schema import Field, text

PROJECT = text("project").local().computed().force_new()
DELETION_POLICY = text("deletionPolicy").local().recorded_as("DELETE")

_NOT_FOUND = 404
_CONFLICT = 409


@dataclass(frozen=True, slots=True)
class Cloud:
    """What the calls of a resource type need."""

    rest: RestClient
    settings: Settings
    policies: PolicyEditor


class ResourceType(ABC):
    """One resource type: its properties and its life.

    `values` are inputs with the provider's project and region filled in and without `__defaults`.
    """

    token: ClassVar[str]
    label: ClassVar[str]
    fields: ClassVar[tuple[Field, ...]]
    id_template: ClassVar[str]
    place: ClassVar[str] = ""
    """The property that falls back to the provider's region."""
    is_named: ClassVar[bool] = False
    """The official provider could have chosen the name: a replacement then deletes first."""

    @property
    def has_labels(self) -> bool:
        """Whether the type has user labels beside the effective ones."""
        return any(field.name == "labels" for field in self.fields)

    def check(self, news: Properties, settings: Settings) -> CheckResult:
        """Validate inputs and fill in defaults."""
        inputs, failures = check_inputs(self.fields, news)
        if not failures:
            failures = (*self._missing(inputs, settings), *self.problems(inputs))
        return CheckResult(inputs, failures)

    def _missing(self, inputs: Properties, settings: Settings) -> tuple[CheckFailure, ...]:
        values = self.values(inputs, settings)
        return tuple(
            CheckFailure(f"'{key}' is missing: give it to the resource, or set gcp:{setting}", key)
            for key, setting in (("project", "project"), (self.place, "region"))
            if key and any(f.name == key for f in self.fields) and not values.get(key)
        )

    def problems(self, inputs: Properties) -> tuple[CheckFailure, ...]:
        """Return what is wrong between properties; single ones have rules."""
        del inputs
        return ()

    def values(self, inputs: Mapping[str, Value], settings: Settings) -> Properties:
        """Return the inputs with the provider's project and region where none is given."""
        values = plain(inputs)
        names = {field.name for field in self.fields}
        if "project" in names and settings.project:
            values.setdefault("project", settings.project)
        if self.place and settings.region:
            values.setdefault(self.place, settings.region)
        return values

    def compare(self, state: Mapping[str, Value], values: Properties) -> Comparison:
        """Compare the recorded state with new values."""
        found = Comparison()
        compare(self.fields, state, values, found)
        if self.has_labels:
            labels.compare_labels(state, values, found)
        return found

    def resource_id(self, values: Mapping[str, Value]) -> str | Unknown:
        """Return the id that these values make, if it can be known."""
        parts: dict[str, str] = {}
        for _, key, _, _ in string.Formatter().parse(self.id_template):
            if key is None:
                continue
            value = values.get(key)
            if not isinstance(value, str):
                return UNKNOWN
            parts[key] = value
        return self.id_template.format_map(parts)

    def known_id(self, values: Mapping[str, Value]) -> str:
        """Return the id that these values make.

        Raises:
            ProviderError: a part of it is unknown.
        """
        resource_id = self.resource_id(values)
        if isinstance(resource_id, Unknown):
            raise ProviderError(f"the id of a {self.label} needs a value that is not known")
        return resource_id

    def id_parts(self, resource_id: str) -> dict[str, str]:
        """Take an id apart.

        Raises:
            ProviderError: it has not the form of this type's ids.
        """
        pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(self.id_template))
        match = re.fullmatch(pattern, resource_id)
        if match is None:
            raise ProviderError(
                f"{resource_id!r} is not the id of a {self.label}: it must look like "
                f"{self.id_template}"
            )
        return match.groupdict()

    def imported_id(self, given: str, settings: Settings) -> str:
        """Return the id that is meant by a shorter one, as the official provider takes them.

        It may leave out the words between the names, then the project, then the region.
        """
        names = [name for _, name, _, _ in string.Formatter().parse(self.id_template) if name]
        known = {"project": settings.project, self.place: settings.region}
        parts = given.split("/")
        if len(names) == 1:
            # Buckets are known by their names alone; their project may stand before them.
            return parts[-1]
        left_out = names[: len(names) - len(parts)]
        if len(parts) > len(names) or not all(known.get(name) for name in left_out):
            return given
        return self.id_template.format_map(
            {name: known[name] for name in left_out}
            | dict(zip(names[len(left_out) :], parts, strict=True))
        )

    def plan(self, values: Properties, old: Mapping[str, Value] | None) -> Properties:
        """Return the outputs that a create or update will have, as far as they are known."""
        outputs = planned_outputs(self.fields, values, old)
        outputs["id"] = self.resource_id(values)
        if self.has_labels:
            outputs.update(labels.planned_labels(values, old))
        return {**outputs, **self.foresee(values, outputs)}

    def foresee(self, values: Properties, outputs: Properties) -> Properties:
        """Return outputs that can be computed from the values."""
        del values, outputs
        return {}

    def read_result(
        self, resource_id: str, outputs: Properties, inputs: Mapping[str, Value]
    ) -> ReadResult:
        """Combine live outputs with the inputs that would make them."""
        given = plain(inputs)
        live_inputs = inputs_from_outputs(self.fields, given, outputs, is_import=not given)
        return ReadResult(resource_id, outputs, live_inputs)

    @abstractmethod
    async def create(self, cloud: Cloud, values: Properties, timeout_s: float) -> CreateResult:
        """Make the resource."""

    @abstractmethod
    async def read(
        self, cloud: Cloud, resource_id: str, outputs: Properties, inputs: Properties
    ) -> ReadResult | None:
        """Read the live resource; None when it is gone."""

    @abstractmethod
    async def update(
        self,
        cloud: Cloud,
        resource_id: str,
        old_outputs: Properties,
        values: Properties,
        timeout_s: float,
    ) -> Properties:
        """Change the resource in place."""

    @abstractmethod
    async def delete(
        self, cloud: Cloud, resource_id: str, outputs: Properties, timeout_s: float
    ) -> None:
        """Delete the resource."""
