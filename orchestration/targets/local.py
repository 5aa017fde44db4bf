"""The local target: a local cloud on loopback, started on demand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from orchestration.automation.results import Json
from orchestration.environments import Environment, TargetName
from orchestration.errors import CloudUnreachable, PortTaken
from orchestration.settings import PROJECT_DIR_VARIABLE
from orchestration.targets.builders import Builder
from orchestration.targets.local_provider import PROVIDER_ENDPOINTS, PROVIDER_SETTINGS, fence
from orchestration.tls import trusted_certificates

if TYPE_CHECKING:
    # The client brings 0.5 s of imports along; only runs that send messages pay for it.
    from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient

    from rehearsal.cloud.control import CloudInfo

DEFAULT_PROJECT = "local-proj"
# Longer than the longest false start of a local cloud, which is half a second; a test compares.
CONFIRM_GRANTS_FOR_S = 0.6
# Whom a local cloud takes for its owner; a test compares it with the cloud's own word.
LOCAL_DEPLOYER = "user:developer@local.test"

# The path under which the local cloud serves each API.
API_PATHS: Mapping[str, str] = {
    "artifactregistry": "artifactregistry/v1",
    "bigquery": "bigquery/bigquery/v2",
    "cloudbilling": "cloudbilling/v1",
    "cloudscheduler": "cloudscheduler/v1",
    "firestore": "firestore/v1",
    "iam": "iam/v1",
    "iamcredentials": "iamcredentials/v1",
    "pubsub": "pubsub/v1",
    "resourcemanager": "resourcemanager/v1",
    "run": "run/v2",
    "secretmanager": "secretmanager/v1",
    "serviceusage": "serviceusage/v1",
    "storage": "storage/storage/v1",
}


@dataclass(frozen=True, slots=True)
class RunningService:
    """A Cloud Run service of the local cloud."""

    name: str
    url: str
    revision: str
    pid: int | None

    @property
    def state(self) -> str:
        """Say in a word how it is."""
        return "running" if self.pid else "not running"


@dataclass(frozen=True, slots=True)
class LocalCloudView:
    """A running local cloud, as people and scripts see it; it holds no token."""

    pid: int
    port: int
    pubsub_port: int
    project_id: str
    data_dir: Path
    services: tuple[RunningService, ...]

    @property
    def base_url(self) -> str:
        """Where its REST APIs are."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pubsub_host(self) -> str:
        """What `PUBSUB_EMULATOR_HOST` is for the deployer."""
        return f"127.0.0.1:{self.pubsub_port}"

    def described(self) -> dict[str, Json]:
        """Give it as a JSON object; the deployer's token is in the file that it names."""
        return {
            "pid": self.pid,
            "url": self.base_url,
            "project_id": self.project_id,
            "pubsub_emulator_host": self.pubsub_host,
            "identity_token_url": f"{self.base_url}/_local/identity-token",
            "token_file": str(self.data_dir / "cloud.json"),
            "services": [
                {
                    "name": service.name,
                    "url": service.url,
                    "state": service.state,
                    "revision": service.revision,
                }
                for service in self.services
            ],
        }


def running_cloud(environment: Environment) -> LocalCloudView | None:
    """Look at an environment's local cloud; None when it does not run."""
    from rehearsal.cloud import control  # noqa: PLC0415 - only the local target pays for it

    info = control.status(environment.cloud_dir)
    if info is None:
        return None
    try:
        answer = httpx.get(
            f"http://127.0.0.1:{info.port}/_local/services",
            headers={"Authorization": f"Bearer {info.deployer_token}"},
        )
        answer.raise_for_status()
        listed = answer.json()["services"]
    except (httpx.HTTPError, KeyError, ValueError) as error:
        raise CloudUnreachable(
            f"the local cloud of {environment.name!r} does not answer: {error}"
        ) from error
    return LocalCloudView(
        pid=info.pid,
        port=info.port,
        pubsub_port=info.pubsub_port,
        project_id=info.project_id,
        data_dir=environment.cloud_dir,
        services=tuple(
            RunningService(
                name=item["name"].rpartition("/")[2],
                url=item["uri"],
                revision=item["revision"],
                pid=item["pid"],
            )
            for item in listed
        ),
    )


def chosen_ports(environment: Environment) -> tuple[int, ...]:
    """Give the ports that an environment's local cloud has chosen for good; none before it ran."""
    from rehearsal.cloud import control  # noqa: PLC0415 - only the local target pays for it

    chosen = control.recorded(environment.cloud_dir)
    return (chosen.port, chosen.pubsub_port) if chosen is not None else ()


def cloud_process(environment: Environment) -> int | None:
    """Give the process id of an environment's local cloud; None when it does not run."""
    from rehearsal.cloud import control  # noqa: PLC0415 - only the local target pays for it

    info = control.status(environment.cloud_dir)
    return info.pid if info is not None else None


def stop_cloud_of(environment: Environment) -> bool:
    """Stop an environment's local cloud and its services; say whether it ran."""
    from rehearsal.cloud import control  # noqa: PLC0415 - only the local target pays for it

    return control.stop(environment.cloud_dir)


class LocalTarget:
    """One environment's local cloud."""

    name = TargetName.LOCAL

    def __init__(
        self,
        environment: Environment,
        *,
        project_id: str,
        region: str,
        propagation: str = "",
        builder: Builder | None = None,
    ) -> None:
        self.project_id = project_id
        self.environment = environment
        self._region = region
        self._propagation = propagation
        self.builder = builder or Builder()
        self._info: CloudInfo | None = None

    def prepare(self) -> None:
        """Start the local cloud unless it runs already.

        Raises:
            CloudUnreachable: it did not start.
            PortTaken: another process has one of its ports.
            PrerequisitesMissing: images are to be built with docker, and no daemon answers.
        """
        self.builder.require()
        from rehearsal.cloud import control  # noqa: PLC0415 - only the local target pays for it

        try:
            self._info = control.start(
                self.environment.cloud_dir,
                project_id=self.project_id,
                propagation=self._propagation,
            )
        except control.PortTaken as error:
            raise PortTaken(
                f"port {error.port}, which the local cloud of {self.environment.name!r} has chosen"
                " when it was made, is taken by another process",
                hint=f"end that process (`ss -ltnp 'sport = :{error.port}'` names it), or rehearse"
                " in another environment",
            ) from error
        except (control.CloudError, OSError) as error:
            raise CloudUnreachable(
                f"the local cloud did not start: {error}",
                hint=f"read {self.environment.cloud_dir / 'server.log'}",
            ) from error

    @property
    def is_running(self) -> bool:
        """Whether the local cloud runs at this moment."""
        return self._info is not None or cloud_process(self.environment) is not None

    def require_reachable(self) -> None:
        """See whether the local cloud's process lives.

        Raises:
            CloudUnreachable: it has ended.
        """
        from rehearsal.cloud import control  # noqa: PLC0415 - as in `prepare`

        if control.status(self.environment.cloud_dir) is None:
            raise CloudUnreachable(
                f"the local cloud of {self.environment.name!r} has ended",
                hint="the next `conductor up` starts it again, and it holds what it held;"
                f" {self.environment.cloud_dir / 'server.log'} may say why it ended",
            )

    @property
    def info(self) -> CloudInfo:
        """Where the running local cloud is.

        Raises:
            CloudUnreachable: it does not run.
        """
        if self._info is None:
            from rehearsal.cloud import control  # noqa: PLC0415 - as in `prepare`

            self._info = control.status(self.environment.cloud_dir)
        if self._info is None:
            raise CloudUnreachable(
                f"the local cloud of {self.environment.name!r} does not run",
                hint=f"start it with `conductor cloud start --env {self.environment.name}`",
            )
        return self._info

    @property
    def deployer(self) -> str:
        """The member whom the local cloud takes for the owner."""
        return self.info.deployer

    @property
    def state_place(self) -> None:
        """The director shares the folder of the stacks' state."""
        return

    @property
    def confirm_grants_for_s(self) -> float:
        """The same however grants are delayed: what flickers may have been set before a restart."""
        return CONFIRM_GRANTS_FOR_S

    @property
    def base_url(self) -> str:
        """The local cloud's address."""
        return f"http://127.0.0.1:{self.info.port}"

    def stack_config(self) -> Mapping[str, Json]:
        """Point the provider at the local cloud."""
        return {
            "gcp:project": self.project_id,
            "gcp:region": self._region,
            **PROVIDER_SETTINGS,
            **{
                f"gcp:{key}": f"{self.base_url}/{path}/" for key, path in PROVIDER_ENDPOINTS.items()
            },
            "conductor:registry": f"127.0.0.1:{self.info.port}",
            "conductor:deployer": self.deployer,
        }

    def images_config(self) -> Mapping[str, Json]:
        """Say what builds the images."""
        return self.builder.config()

    def director_environment(self) -> Mapping[str, str]:
        """The director shares this machine: the same folders serve it."""
        return {
            PROJECT_DIR_VARIABLE: str(self.environment.settings.project_dir),
            "CONDUCTOR_ENVIRONMENT": self.environment.name,
            "CONDUCTOR_TARGET": self.name.value,
            "CONDUCTOR_LEDGER": str(self.environment.ledger_dir),
            "PULUMI_BACKEND_URL": f"file://{self.environment.state_dir}",
            "PULUMI_CONFIG_PASSPHRASE_FILE": str(self.environment.passphrase_file),
        }

    def credentials(self) -> Mapping[str, str]:
        """The deployer's token for the gcp provider, which shall reach nothing but this machine."""
        return {"GOOGLE_OAUTH_ACCESS_TOKEN": self.access_token(), **fence(self.base_url)}

    def access_token(self) -> str:
        """The deployer's token; it does not expire."""
        return self.info.deployer_token

    def identity_token(self, audience: str) -> str:
        """Ask the local cloud for an identity token of the deployer."""
        try:
            answer = httpx.get(
                f"{self.base_url}/_local/identity-token",
                params={"audience": audience},
                headers={"Authorization": f"Bearer {self.access_token()}"},
                verify=trusted_certificates(),
            )
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise CloudUnreachable(f"the local cloud does not answer: {error}") from error
        return str(answer.json()["token"])

    def endpoints(self) -> Mapping[str, str]:
        """Every API under its path prefix."""
        return {api: f"{self.base_url}/{path}" for api, path in API_PATHS.items()}

    def service_log(self, service: str) -> str:
        """Ask the local cloud; what it cannot say is no reason to fail."""
        try:
            answer = httpx.get(
                f"{self.base_url}/_local/logs/{service}",
                headers={"Authorization": f"Bearer {self.access_token()}"},
                verify=trusted_certificates(),
            )
        except (httpx.HTTPError, CloudUnreachable):
            return ""
        return answer.text if answer.is_success else ""

    @property
    def pubsub_host(self) -> str:
        """What `PUBSUB_EMULATOR_HOST` would be for the deployer."""
        return f"127.0.0.1:{self.info.pubsub_port}"

    def publisher(self) -> PublisherClient:
        """A client on the deployer's Pub/Sub port."""
        import grpc  # noqa: PLC0415 - as above
        from google.cloud.pubsub_v1 import PublisherClient  # noqa: PLC0415
        from google.pubsub_v1.services.publisher.transports import (  # noqa: PLC0415
            PublisherGrpcTransport,
        )

        channel = grpc.insecure_channel(self.pubsub_host)
        return PublisherClient(transport=PublisherGrpcTransport(channel=channel))

    def subscriber(self) -> SubscriberClient:
        """A client on the deployer's Pub/Sub port."""
        import grpc  # noqa: PLC0415 - as above
        from google.cloud.pubsub_v1 import SubscriberClient  # noqa: PLC0415
        from google.pubsub_v1.services.subscriber.transports import (  # noqa: PLC0415
            SubscriberGrpcTransport,
        )

        channel = grpc.insecure_channel(self.pubsub_host)
        return SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))
