"""What a run asks of the place it deploys to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from architecture.grants import StatePlace
from orchestration.automation.results import Json
from orchestration.environments import TargetName

if TYPE_CHECKING:
    from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient


class Target(Protocol):
    """A place to deploy to. Everything but `prepare` needs a prepared one."""

    @property
    def name(self) -> TargetName:
        """Which kind of place it is."""
        ...

    @property
    def project_id(self) -> str:
        """The project that everything is deployed to."""
        ...

    @property
    def deployer(self) -> str:
        """The IAM member that runs the deployment, as in `user:ada@example.com`."""
        ...

    @property
    def state_place(self) -> StatePlace | None:
        """Where the director finds the stacks' state; None where it shares the deployer's disk."""
        ...

    @property
    def confirm_grants_for_s(self) -> float:
        """For how long a grant must work here at every try before it counts."""
        ...

    def prepare(self) -> None:
        """Make it usable, or say what is missing.

        Raises:
            PrerequisitesMissing: credentials or tools are missing.
            CloudUnreachable: its APIs do not answer.
        """
        ...

    def require_reachable(self) -> None:
        """Look whether it is still there, in a moment.

        Raises:
            CloudUnreachable: it has gone; trying again would not help.
        """
        ...

    def stack_config(self) -> Mapping[str, Json]:
        """Give the configuration that every stack needs here: `gcp:*` and `conductor:*` keys."""
        ...

    def images_config(self) -> Mapping[str, Json]:
        """Give the configuration that only the stack of the images needs."""
        ...

    def director_environment(self) -> Mapping[str, str]:
        """Give the variables by which the director finds the stacks' state and this project."""
        ...

    def credentials(self) -> Mapping[str, str]:
        """Give the environment variables by which providers authenticate; fresh at each call."""
        ...

    def access_token(self) -> str:
        """Give an OAuth access token of the deployer."""
        ...

    def identity_token(self, audience: str) -> str:
        """Give an identity token of the deployer, for calls to private services."""
        ...

    def endpoints(self) -> Mapping[str, str]:
        """Give the base URL, with its version, of each API, by names such as `pubsub`."""
        ...

    def service_log(self, service: str) -> str:
        """Give the end of what a service's newest revision has printed; empty if none is known."""
        ...

    def publisher(self) -> PublisherClient:
        """Make a Pub/Sub publisher client."""
        ...

    def subscriber(self) -> SubscriberClient:
        """Make a Pub/Sub subscriber client."""
        ...
