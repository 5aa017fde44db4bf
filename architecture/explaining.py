"""Where each value of a hydrated architecture comes from: the file, an environment, a rule, a plan.

What `hydrate` has made is compared with what was written; nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pydantic import BaseModel

from architecture.links import Link, Where, links_by_service
from architecture.model import Architecture, Resource
from architecture.overrides import overridden, overrides_of, resource_names
from architecture.recorded import RecordedOverride, RecordedOverrides, applied, with_recorded
from architecture.variables import variable
from architecture.yaml_tree import locate, parse

Leaf = str | int | float | bool | None


class Source(StrEnum):
    """Who says a value."""

    FILE = "file"
    OVERRIDE = "override"
    DEFAULT = "default"
    OPTION = "option"
    RULE = "rule"
    RECORDED = "recorded"


@dataclass(frozen=True, slots=True)
class Explanation:
    """One value, who says it, and where in the file; line and column are 0 where there is none."""

    key: str
    value: Leaf
    source: Source
    line: int
    column: int
    reason: str


_DEFAULTS: Final = frozenset({"cpu", "memory", "image_repo"})
_INJECTED: Final = frozenset({"PROJECT_ID", "SERVICE_NAME", "DATAFLOW_NAME"})


def explain(
    text: str,
    arch: Architecture,
    hydrated: Architecture,
    environment: str,
    *,
    source_root_given: bool = False,
    recorded: RecordedOverrides | None = None,
) -> Iterator[Explanation]:
    """Yield every value of a hydrated architecture with where it comes from.

    Args:
        text: the architecture file's.
        arch: what it says.
        hydrated: what `hydrate` made of it for the environment, without a suffix.
        environment: whose `deployment_environments` entry applies.
        source_root_given: whether `--source-root` replaced every `source_path`.
        recorded: what is recorded above the architecture.
    """
    explainer = _Explainer(text, arch, hydrated, environment, source_root_given=source_root_given)
    recorded = recorded or RecordedOverrides()
    above = {item.where: item.entry for item in applied(hydrated, recorded)}
    deployed = with_recorded(hydrated, recorded)
    for where, value, _ in _leaves(deployed, (), explainer.written, given=True):
        if where in above:
            yield explainer.recorded(where, above[where])
        else:
            yield explainer.explanation(where, value)


class _Explainer:
    """Compares what was hydrated with what was written."""

    def __init__(
        self,
        text: str,
        arch: Architecture,
        hydrated: Architecture,
        environment: str,
        *,
        source_root_given: bool,
    ) -> None:
        self._root = parse(text)
        self._arch = arch
        self._hydrated = hydrated
        self._environment = environment
        self._source_root_given = source_root_given
        self.written = {item.replaces: item.written for item in overrides_of(arch, environment)}
        self._base = _by_place(arch, self.written)
        self._changed = _by_place(overridden(arch, environment), self.written)
        self._links = links_by_service(hydrated)

    def explanation(self, where: Where, value: Leaf) -> Explanation:
        """Explain one value."""
        key = self._key(where)
        if self._changed.get(where, (None, False))[0] == value and where in self._changed:
            if place := self._override(where):
                return Explanation(key, value, Source.OVERRIDE, *place, self._replaced(where))
            if self._changed[where][1]:
                return Explanation(key, value, Source.FILE, *locate(self._root, where), "")
            return Explanation(key, value, Source.DEFAULT, 0, 0, "of the format")
        source, reason = self._rule(where)
        place = self._override(where) or (0, 0)
        if where in self._base:
            place = locate(self._root, where)
        return Explanation(key, value, source, *place, reason)

    def recorded(self, where: Where, entry: RecordedOverride) -> Explanation:
        """Explain a value that is recorded above the architecture."""
        beneath: object = self._hydrated
        for step in where:
            beneath = _child(beneath, step)
        instead = "" if beneath is None else f", instead of {beneath}"
        reason = (
            f"plan {entry.plan_id}, step {entry.step_id} ({entry.action}),"
            f" {entry.recorded_at.isoformat(timespec='seconds')}{instead}"
        )
        return Explanation(self._key(where), entry.value, Source.RECORDED, 0, 0, reason)

    def _override(self, where: Where) -> tuple[int, int] | None:
        for length in range(len(where), 0, -1):
            if written := self.written.get(where[:length]):
                return locate(self._root, written + where[length:])
        return None

    def _replaced(self, where: Where) -> str:
        said = f"environment {self._environment}"
        value, given = self._base.get(where, ("", False))
        if not given or value == self._changed[where][0]:
            return said
        return f"{said}, instead of {value} (line {locate(self._root, where)[0]})"

    def _rule(self, where: Where) -> tuple[Source, str]:
        """Return which rule of hydration gives the value at a place."""
        source, reason = Source.RULE, "filled in"
        match where:
            case ("project_id",):
                source, reason = Source.OPTION, "--project, or what the target has by default"
            case ("location",):
                reason = "the architecture's region"
            case ("dataflows", flow, *_) if flow not in self._arch.dataflows:
                reason = "the director's own dataflow, added with its topics"
            case (*_, "bigquery_datasets", int(), _):
                reason = "a dataset that tables name"
            case (*_, "schema_file"):
                reason = "made absolute from the file's folder"
            case (*_, "cloud_scheduler_jobs", int(), "service_account") if where not in self._base:
                reason = "an account of the schedule's own"
            case (*_, "service_account"):
                reason = "the short name of the project's account"
            case (*_, "deployment", _) | (*_, "deployment", _, _):
                return self._deployment_rule(where)
            case _:
                pass
        return source, reason

    def _deployment_rule(self, where: Where) -> tuple[Source, str]:
        source, reason = Source.RULE, "made absolute from the file's folder"
        match where:
            case (*_, "region"):
                reason = "the architecture's region"
            case (*_, str(key)) if key in _DEFAULTS:
                source, reason = Source.DEFAULT, "of every service"
            case (*_, "source_path") if self._source_root_given:
                source, reason = Source.OPTION, "--source-root"
            case (*place, "deployment", "environment_vars", str(name)):
                reason = self._injected(tuple(place), name)
            case _:
                pass
        return source, reason

    def _injected(self, place: Where, name: str) -> str:
        if name in _INJECTED:
            return "injected into every service"
        of = self._hydrated.director.name if len(place) == 1 else str(place[-1])
        suffix = self._hydrated.name_suffix
        for link in self._links.get(of, ()):
            if link.method == "env" and variable(link, suffix) == name:
                return _linked(link)
        return "injected"

    def _key(self, where: Where) -> str:
        """Return a place as a reader names it: list items by their names where they have any."""
        parts: list[str] = []
        value: object = self._hydrated
        for step in where:
            value = _child(value, step)
            parts.append(f"[{_item_name(value, step)}]" if isinstance(step, int) else f".{step}")
        return "".join(parts).removeprefix(".")


def _item_name(item: object, index: int) -> str:
    if isinstance(item, Resource):
        return resource_names(item)[0]
    return str(getattr(item, "name", index))


def _linked(link: Link) -> str:
    kind = link.kind.removesuffix("s").replace("_", " ")
    return f"the service {link.direction} {kind} {link.resource_name}, `lookup.method: env`"


def _by_place(arch: Architecture, always: Container[Where]) -> dict[Where, tuple[Leaf, bool]]:
    """Return every value with whether it was given, by its place."""
    return {where: (value, given) for where, value, given in _leaves(arch, (), always, given=True)}


def _leaves(
    value: object, where: Where, always: Container[Where], *, given: bool
) -> Iterator[tuple[Where, Leaf, bool]]:
    """Yield what is in a value, with its place and whether it was given.

    What is empty is left out, but for the places that are always shown.
    """
    match value:
        case BaseModel():
            for name, item in value:
                default = type(value).model_fields[name].get_default(call_default_factory=False)
                if item or item != default or (*where, name) in always:
                    said = name in value.model_fields_set
                    yield from _leaves(item, (*where, name), always, given=said)
        case Mapping():
            for name, item in value.items():
                yield from _leaves(item, (*where, name), always, given=given)
        case tuple() | list():
            for index, item in enumerate(value):
                yield from _leaves(item, (*where, index), always, given=given)
        case str() | int() | float() | None:
            yield where, value, given
        case _:
            raise TypeError(type(value))


def _child(value: object, step: str | int) -> object:
    match value:
        case BaseModel():
            return getattr(value, str(step))
        case Mapping():
            return value.get(step)
        case tuple() | list():
            return value[int(step)]
        case _:
            raise TypeError(type(value))
