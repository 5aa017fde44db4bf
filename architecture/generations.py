"""The older generation of files: services and deployment apart, lists where mappings are today.

A `services.yaml` listed services and dataflows, a `deployment.yaml` beside it said how services
run. Both become one tree of today's form, whose values keep their places in the first file. What
today's form has no key for is kept under the director's or the service's `metadata.older`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from architecture.findings import Report, Severity, shown
from architecture.misspelling import suggestion
from architecture.yaml_tree import Mapping, Node, Scalar, Sequence

RULE: Final = "older-form"
# What the upstream project called them where a file did not say.
DIRECTOR: Final = "servicedirector"
TOPICS: Final = {"command_topic": "command-topic", "completion_topic": "completion-topic"}
# A service of no dataflow needs one today.
UNASSIGNED: Final = "unassigned"
_ROOT_KEYS: Final = {
    "default_project_id": "project_id",
    "default_region": "region",
    "default_location": "location",
    "default_labels": "labels",
}
_RESOURCE_KEYS: Final = {
    "pubsub_topics": "topics",
    "pubsub_subscriptions": "subscriptions",
    "gcs_buckets": "gcs_buckets",
}
_ITEM_KEYS: Final = {"schema_source_identifier": "schema_type"}
POLICY: Final = "iam_access_policy"
_SIZES: Final = ("cpu", "memory", "min_instances", "max_instances")
_ACCOUNT_LENGTH: Final = 30


def is_older(root: Node) -> bool:
    """Say whether a tree is a services file of the older generation."""
    if not isinstance(root, Mapping):
        return False
    found = {key.text: value for key, value in root.entries}
    lists = any(isinstance(found.get(key), Sequence) for key in ("services", "dataflows"))
    return lists or bool(found.keys() & _ROOT_KEYS.keys())


def deployment_file(path: Path) -> Path | None:
    """Name the deployment file that belongs to a services file; None if no name would fit."""
    stem, _, kind = path.name.rpartition(".")
    if kind not in {"yaml", "yml"} or not stem.endswith("services"):
        return None
    return path.with_name(f"{stem.removesuffix('services')}deployment.{kind}")


def to_newest(root: Mapping, deployment: Node | None, report: Report) -> Mapping:
    """Join an older pair of files into one tree of today's form."""
    place = (root.line, root.column)
    report(
        Severity.WARNING,
        RULE,
        place,
        "the file is of the older generation, with services and deployment apart",
        "write the newest form with `conductor check --migrate`",
    )
    return _Joining(root, deployment, report).joined()


class _Joining:
    """One pair of files on its way to one tree."""

    def __init__(self, root: Mapping, deployment: Node | None, report: Report) -> None:
        self._root = _entries(root)
        self._deployment = _entries(deployment)
        self._defaults = _entries(self._deployment.get("cloud_run_defaults"))
        self._specs = _entries(self._deployment.get("services"))
        self._report = report
        self._at = root
        self._services = {
            _text(_entries(item).get("name")): item for item in _items(self._root.get("services"))
        }
        named = _text(self._deployment.get("service_director_service_name"))
        self._director = named or DIRECTOR

    def joined(self) -> Mapping:
        entries: dict[str, Node] = {}
        for name, value in self._root.items():
            if name not in {"services", "dataflows", "description"}:
                entries[_ROOT_KEYS.get(name, name)] = value
        for key in ("project_id", "region"):
            given = self._deployment.get(key)
            if given is not None and not _is_null(given):
                entries.setdefault(key, _unplaced(given))
        if self._director in self._services:
            entries["service_manager_spec"] = self._director_spec()
        entries["dataflows"] = self._dataflows()
        return self._mapping(entries)

    def _director_spec(self) -> Node:
        spec = dict(self._service(self._director))
        for key, topic in TOPICS.items():
            spec.setdefault(key, self._mapping({"name": self._scalar(topic)}))
        older: dict[str, Node] = {
            name: value
            for name, value in {
                "description": self._root.get("description"),
                "default_docker_registry": self._deployment.get("default_docker_registry"),
                "deployments": self._lost_deployments(),
            }.items()
            if value is not None and not _is_null(value)
        }
        return self._mapping(_with_older(spec, older, self._mapping))

    def _lost_deployments(self) -> Node | None:
        lost = {name: value for name, value in self._specs.items() if name not in self._services}
        for name in lost:
            self._report(
                Severity.WARNING,
                RULE,
                (0, 0),
                f"the deployment file has a service {shown(name)} that the services file has not",
                suggestion(name, tuple(self._services)),
            )
        return self._mapping({name: _unplaced(v) for name, v in lost.items()}) if lost else None

    def _dataflows(self) -> Node:
        flows: dict[str, Node] = {}
        placed = {self._director}
        for item in _items(self._root.get("dataflows")):
            flow = _entries(item)
            members = _items(flow.pop("service_names", None) or flow.pop("services", None))
            names = [name for name in map(_text, members) if name in self._services]
            mine = [name for name in names if name not in placed]
            placed.update(mine)
            entries = {name: value for name, value in flow.items() if name != "resources"}
            if mine:
                entries["services"] = self._mapping(
                    {name: self._mapping(self._service(name)) for name in mine}
                )
            if "resources" in flow:
                entries["resources"] = self._resources(flow["resources"])
            flows[_text(flow.get("name"))] = self._mapping(entries)
        left = [name for name in self._services if name and name not in placed]
        if left:
            services: dict[str, Node] = {name: self._mapping(self._service(name)) for name in left}
            flows[UNASSIGNED] = self._mapping({"services": self._mapping(services)})
        return self._mapping(flows)

    def _service(self, name: str) -> dict[str, Node]:
        entries = _entries(self._services[name])
        account = entries.get("service_account")
        spec = _entries(self._specs.get(name))
        run = {**self._defaults, **_entries(spec.get("cloud_run_spec"))}
        if account is None or _is_null(account):
            account = run.get("service_account")
        if account is None or _is_null(account):
            account = self._scalar(f"{name[: _ACCOUNT_LENGTH - 3]}-sa")
        entries["service_account"] = account
        if not spec:
            return entries
        deployment: dict[str, Node] = {}
        if source := _text(self._deployment.get("service_source_path")):
            deployment["source_path"] = self._scalar(source)
        if folder := _text(spec.get("dockerfile_path")).rpartition("/")[0]:
            deployment["buildable_module_path"] = self._scalar(folder)
        deployment |= {key: _unplaced(run[key]) for key in _SIZES if key in run}
        variables = {
            **_entries(self._defaults.get("env_vars")),
            **_entries(_entries(spec.get("cloud_run_spec")).get("env_vars")),
        }
        if variables:
            deployment["environment_vars"] = self._mapping(
                {key: _unplaced(value) for key, value in variables.items()}
            )
        entries["deployment"] = self._mapping(deployment)
        known = {*_SIZES, "env_vars", "service_account"}
        older = {key: _unplaced(value) for key, value in run.items() if key not in known}
        return _with_older(entries, older, self._mapping)

    def _resources(self, node: Node) -> Node:
        if not isinstance(node, Mapping):
            return node
        return self._mapping(
            {
                _RESOURCE_KEYS.get(name, name): self._listed(value)
                for name, value in _entries(node).items()
            }
        )

    def _listed(self, node: Node) -> Node:
        if not isinstance(node, Sequence):
            return node
        return Sequence(
            tuple(self._item(item) for item in node.items), node.line, node.column, node.size
        )

    def _item(self, node: Node) -> Node:
        if not isinstance(node, Mapping):
            return node
        return Mapping(
            tuple(
                (_renamed(key, _ITEM_KEYS), _policies(value) if key.text == POLICY else value)
                for key, value in node.entries
            ),
            node.line,
            node.column,
            node.size,
        )

    def _scalar(self, text: str) -> Scalar:
        return Scalar(text, is_plain=False, line=self._at.line, column=self._at.column)

    def _mapping(self, entries: dict[str, Node]) -> Mapping:
        return Mapping(
            tuple((self._key(name, value), value) for name, value in entries.items()),
            self._at.line,
            self._at.column,
            1 + sum(value.size for value in entries.values()),
        )

    def _key(self, name: str, value: Node) -> Scalar:
        return Scalar(name, is_plain=True, line=value.line, column=value.column)


def _policies(node: Node) -> Node:
    """Take the list out of `iam_access_policy: {iam_access: [...]}`."""
    return _entries(node).get("iam_access", node)


def _renamed(key: Scalar, names: dict[str, str]) -> Scalar:
    if key.text not in names:
        return key
    return Scalar(names[key.text], key.is_plain, key.line, key.column)


def _with_older(
    entries: dict[str, Node], older: dict[str, Node], mapping: Callable[[dict[str, Node]], Mapping]
) -> dict[str, Node]:
    """Keep what has no key of its own under `metadata.older`, beside what is there already."""
    if not older:
        return entries
    metadata = _entries(entries.get("metadata"))
    kept = {**_entries(metadata.get("older")), **older}
    return {**entries, "metadata": mapping({**metadata, "older": mapping(kept)})}


def _entries(node: Node | None) -> dict[str, Node]:
    return {key.text: value for key, value in node.entries} if isinstance(node, Mapping) else {}


def _items(node: Node | None) -> Iterable[Node]:
    return node.items if isinstance(node, Sequence) else ()


def _text(node: Node | None) -> str:
    return node.text if isinstance(node, Scalar) and not node.is_null else ""


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.is_null


def _unplaced(node: Node) -> Node:
    """Take the place off a value of the deployment file: findings name the other one."""
    match node:
        case Scalar():
            return Scalar(node.text, node.is_plain, 0, 0)
        case Sequence():
            return Sequence(tuple(_unplaced(item) for item in node.items), 0, 0, node.size)
        case Mapping():
            return Mapping(tuple(_unplaced_entries(node)), 0, 0, node.size)


def _unplaced_entries(node: Mapping) -> Iterator[tuple[Scalar, Node]]:
    for key, value in node.entries:
        yield Scalar(key.text, key.is_plain, 0, 0), _unplaced(value)
