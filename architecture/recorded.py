"""Values recorded above an architecture file: what was decided about a deployed service since.

Each one says what it stands for and who put it there; the newest for a key is the one that counts,
and whatever it stands over counts again once it is taken away. How they are stored, and who may
add them, is the business of `orchestration`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, model_validator

from architecture.links import Where
from architecture.model import Architecture, Service

SETTING_PREFIX: Final = "settings."
# What of a `deployment` can be recorded otherwise, and what a value of it is.
DEPLOYMENT_KEYS: Final[Mapping[str, type]] = {
    "min_instances": int,
    "max_instances": int,
    "region": str,
    "cpu_always_on": bool,
}

Value = bool | int | str


class RecordedOverride(BaseModel):
    """One value of one service, and where it comes from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    service: str
    """The service, by its name in Cloud Run."""
    key: str
    """A key of `deployment`, or `settings.NAME` for what `metadata.settings` declares."""
    value: Value
    plan_id: str
    step_id: str
    action: str
    recorded_at: AwareDatetime

    @model_validator(mode="after")
    def _fits(self) -> RecordedOverride:
        expected = str if self.key.startswith(SETTING_PREFIX) else DEPLOYMENT_KEYS.get(self.key)
        if expected is None:
            raise ValueError(f"nothing can be recorded under {self.key!r}")
        if type(self.value) is not expected:
            raise ValueError(f"{self.key} must be of type {expected.__name__}")
        return self

    @property
    def place(self) -> tuple[str, str]:
        """What it is about."""
        return self.service, self.key


class RecordedOverrides(BaseModel):
    """All that is recorded above one environment's architecture, the oldest first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = 0
    """Counts the changes."""
    entries: tuple[RecordedOverride, ...] = ()

    def effective(self) -> dict[tuple[str, str], RecordedOverride]:
        """Give what counts, by service and key."""
        return {entry.place: entry for entry in self.entries}

    def beneath(self, entry: RecordedOverride) -> RecordedOverride | None:
        """Give what an entry stands over; None if that is the architecture itself."""
        at = self.entries.index(entry)
        older = (other for other in reversed(self.entries[:at]) if other.place == entry.place)
        return next(older, None)

    def with_step(self, added: Iterable[RecordedOverride]) -> RecordedOverrides:
        """Put a step's values on top; what the same step said of the same before is replaced."""
        entries = list(self.entries)
        for new in added:
            same = [e for e in entries if (e.step_id, e.place) == (new.step_id, new.place)]
            if same:
                entries[entries.index(same[0])] = new
            else:
                entries.append(new)
        return self._changed(entries)

    def without_step(self, step_id: str) -> RecordedOverrides:
        """Take a step's values away; what they stood over counts again."""
        return self._changed([entry for entry in self.entries if entry.step_id != step_id])

    def without(self, service: str, key: str | None = None) -> RecordedOverrides:
        """Take away all that is recorded of a service, or of one key of it."""
        return self._changed(
            [e for e in self.entries if e.service != service or key not in {None, e.key}]
        )

    def of_step(self, step_id: str) -> tuple[RecordedOverride, ...]:
        """Give what a step has recorded."""
        return tuple(entry for entry in self.entries if entry.step_id == step_id)

    def _changed(self, entries: list[RecordedOverride]) -> RecordedOverrides:
        if tuple(entries) == self.entries:
            return self
        return RecordedOverrides(version=self.version + 1, entries=tuple(entries))


@dataclass(frozen=True, slots=True)
class Applied:
    """A recorded value at its place in the architecture."""

    where: Where
    entry: RecordedOverride


def parse_recorded(content: bytes) -> RecordedOverrides:
    """Read what is recorded.

    Raises:
        ValueError: it is no record, or says what cannot be.
    """
    return RecordedOverrides.model_validate_json(content)


def with_recorded(arch: Architecture, recorded: RecordedOverrides) -> Architecture:
    """Return a hydrated architecture with all that is recorded above it.

    What is about services or settings that there are not (any more) is left out.
    """
    by_service: dict[str, list[RecordedOverride]] = {}
    for entry in recorded.effective().values():
        by_service.setdefault(entry.service, []).append(entry)
    if not by_service:
        return arch
    flows = {
        name: flow.model_copy(
            update={
                "services": {
                    key: _with_entries(service, by_service.get(service.name, ()))
                    for key, service in flow.services.items()
                }
            }
        )
        for name, flow in arch.dataflows.items()
    }
    return arch.model_copy(update={"dataflows": flows})


def applied(arch: Architecture, recorded: RecordedOverrides) -> Iterator[Applied]:
    """Yield what of all that is recorded has a place in the architecture, and which."""
    effective = recorded.effective()
    for flow_name, flow in arch.dataflows.items():
        for key, service in flow.services.items():
            root: Where = ("dataflows", flow_name, "services", key, "deployment")
            for entry in effective.values():
                if entry.service == service.name and (place := _place(service, entry.key)):
                    yield Applied((*root, *place), entry)


def setting_variable(service: Service, setting: str) -> str | None:
    """Give the environment variable by which a service lets a setting be changed, if it does."""
    settings = service.metadata.get("settings")
    found = settings.get(setting) if isinstance(settings, dict) else None
    return found if isinstance(found, str) and found else None


def _with_entries(service: Service, entries: Iterable[RecordedOverride]) -> Service:
    deployment = service.deployment
    if deployment is None:
        return service
    for entry in entries:
        match _place(service, entry.key):
            case ("environment_vars", str(variable)):
                variables = {**deployment.environment_vars, variable: str(entry.value)}
                update: dict[str, object] = {"environment_vars": dict(sorted(variables.items()))}
            case (str(key),):
                update = {key: entry.value}
            case _:
                continue
        deployment = deployment.model_copy(update=update)
    return service.model_copy(update={"deployment": deployment})


def _place(service: Service, key: str) -> Where:
    """Give where in a service's `deployment` a key is; nothing where the service has no such."""
    if service.deployment is None:
        return ()
    if key.startswith(SETTING_PREFIX):
        variable = setting_variable(service, key.removeprefix(SETTING_PREFIX))
        return ("environment_vars", variable) if variable else ()
    return (key,) if key in DEPLOYMENT_KEYS else ()
