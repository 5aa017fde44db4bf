"""One local cloud: a project, its state, and what the services share.

The services themselves are folders beside this module; `rehearsal.cloud.registry` lists them.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from rehearsal.cloud.artifactregistry.images import Images
from rehearsal.cloud.call_log import CallLog
from rehearsal.cloud.errors import failed_precondition
from rehearsal.cloud.faults.injector import Faults
from rehearsal.cloud.iam.access import Iam
from rehearsal.cloud.iam.propagation import Delays, Propagation
from rehearsal.cloud.operations import Operations
from rehearsal.cloud.serviceusage.state import EnabledApis
from rehearsal.cloud.store import Store
from rehearsal.cloud.tokens import Tokens

if TYPE_CHECKING:
    from rehearsal.cloud.pipeline import Pipeline

Part = TypeVar("Part")

DEFAULT_PROJECT: Final = "local-proj"
DEFAULT_PROJECT_NUMBER: Final = "123456789012"
DEPLOYER: Final = "user:developer@local.test"
_SETTINGS: Final = "cloud.settings"


class LocalCloud:
    """Everything that the services of one local cloud share.

    Attributes:
        project_id: The only project.
        project_number: Its number; resources are also found by it.
        deployer: The member who owns the project.
        store: Where all state is.
        iam: Who may do what.
        tokens: Who is calling.
        operations: Long-running operations.
        apis: Which APIs are enabled.
        images: The container images in Artifact Registry.
        faults: What goes wrong by rule.
        log: The call log.
        data_dir: The folder of all files.
        created_at: When the project was made, in seconds since the epoch.
        pipeline: What answers calls; the server sets it before anything runs beside it.
        port: The port of the REST APIs; 0 until it is bound.
        pubsub_port: The port of the deployer's Pub/Sub over gRPC; 0 until it is bound.
    """

    pipeline: Pipeline

    def __init__(
        self,
        data_dir: Path,
        *,
        project_id: str = DEFAULT_PROJECT,
        propagation: Propagation | None = None,
        seed: int = 0,
        port: int = 0,
        pubsub_port: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.data_dir = data_dir
        self.project_id = project_id
        self.project_number = _project_number(project_id)
        self.deployer = DEPLOYER
        self.port = port
        self.pubsub_port = pubsub_port
        self.clock = clock
        self.store = Store(data_dir / "state.sqlite")
        self._delays = Delays(self._kept_propagation(), seed)
        self.iam = Iam(self.store, project_id=project_id, delays=self._delays, clock=clock)
        self.tokens = Tokens(data_dir / "keys", self.iam, clock)
        self.operations = Operations(self.store)
        self.apis = EnabledApis(
            self.store,
            project_number=self.project_number,
            until_served=self._delays.until_api_is_served,
            clock=clock,
        )
        self.images = Images(self.store, data_dir / "blobs")
        self.faults = Faults(self.store, self.project_number, clock)
        self.log = CallLog(data_dir / "calls.jsonl")
        self._parts: dict[object, object] = {}
        self.created_at = self._claim_project()
        if propagation is not None:
            self.propagate(propagation)

    def part(self, make: Callable[[LocalCloud], Part]) -> Part:
        """The one part of this cloud that `make` (a service's state class, say) makes of it."""
        if make not in self._parts:
            self._parts[make] = make(self)
        return cast("Part", self._parts[make])

    @property
    def project(self) -> str:
        """The project's resource name."""
        return f"projects/{self.project_id}"

    def canonical(self, name: str) -> str:
        """The full resource name by project id, whichever way the project was named."""
        parts = name.split("/", 2)
        if parts[0] == "projects" and parts[1:2] in ([self.project_number], ["-"]):
            parts[1] = self.project_id
        return self._with_email("/".join(parts))

    def canonical_body(self, value: Any) -> Any:
        """A JSON value in which every resource of the project is named by the project's id."""
        if isinstance(value, dict):
            return {name: self.canonical_body(member) for name, member in value.items()}
        if isinstance(value, list):
            return [self.canonical_body(entry) for entry in value]
        is_name = isinstance(value, str) and value.startswith("projects/")
        return self.canonical(value) if is_name else value

    def _with_email(self, name: str) -> str:
        """The name of a service account by email, where it was named by its unique id."""
        match name.split("/"):
            case ["projects", project, "serviceAccounts", unique_id] if unique_id.isdecimal():
                account = self.iam.account(unique_id)
                if account is not None:
                    return f"projects/{project}/serviceAccounts/{account['email']}"
        return name

    def propagate(self, propagation: Propagation) -> None:
        """Have changes of grants work after other delays from now on, also after a restart."""
        self._delays.propagation = propagation
        self.store.put(_SETTINGS, "propagation", {"mode": propagation.value})

    def _kept_propagation(self) -> Propagation:
        kept = self.store.get(_SETTINGS, "propagation")
        return Propagation.SEEDED if kept is None else Propagation(kept["mode"])

    async def close(self) -> None:
        """Give up unfinished operations and close the files."""
        await self.operations.stop()
        self.store.close()
        self.log.close()

    def _claim_project(self) -> float:
        """Make the deployer the owner of a new project; return when the project was made."""
        known = self.store.get(_SETTINGS, "project")
        if known is None:
            owner = {"role": "roles/owner", "members": [self.deployer]}
            self.iam.set_policy(self.project, {"bindings": [owner]}, immediately=True)
            known = {"projectId": self.project_id, "createdAt": self.clock()}
            self.store.put(_SETTINGS, "project", known)
        elif known["projectId"] != self.project_id:
            self.store.close()
            self.log.close()
            raise failed_precondition(
                f"the data folder {self.data_dir} belongs to project {known['projectId']},"
                f" not to {self.project_id}"
            )
        return float(known["createdAt"])


def _project_number(project_id: str) -> str:
    if project_id == DEFAULT_PROJECT:
        return DEFAULT_PROJECT_NUMBER
    digest = int(hashlib.sha256(project_id.encode()).hexdigest(), 16)
    return str(10**11 + digest % (9 * 10**11))
