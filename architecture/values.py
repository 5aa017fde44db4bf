"""What the models of an architecture file are made of: strictness, durations, links, policies.

A text below a field says what its key means; after an empty line, where its value goes. The
reference page and the editors' schema are made of these texts (`architecture.reference`).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict


class DurationText:
    """Marks a text as a duration (`30s`, `24h`, `7d`); `architecture.durations` reads it."""


Duration = Annotated[str, DurationText()]
LookupMethod = Literal["env", "yaml", "db"]


class Model(BaseModel):
    """A frozen value that refuses keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Lookup(Model):
    """How a service learns the name of something it is linked to."""

    key: str = ""
    """The name under which the service looks. With `env` it is the environment variable, which by
    default is made of the resource's name: `ORDERS_TOPIC_ID`, `ORDERS_SUB_ID`,
    `INVOICES_WRITE_TABLE`, `INVOICES_READ_TABLE`, and so on for `_BUCKET`, `_COLLECTION` and
    `_DATABASE`.

    Goes to the service's environment, or its `resources.yaml`."""
    method: LookupMethod = "yaml"
    """`yaml` writes the resource into the service's `resources.yaml`, `env` sets an environment
    variable, `db` leaves it to the service. Rights are the same for all three."""


class ServiceMapping(Model):
    """A link: the service's name, or for the director's topics the topic's, and how it is found.

    An older form is the bare name instead of a mapping; it is read with a warning.
    """

    name: str
    """The service, of whatever dataflow; for the director's topics, the topic."""
    lookup: Lookup | None = None
    """How the service learns the resource's name; in its `resources.yaml` when not given."""


class AccessPolicy(Model):
    """A role on a resource that the user asks for, beyond those that links imply."""

    name: str
    """A service of this file; with `type: service-account` an account, by its short name for one of
    this project, else by its e-mail.

    Goes to the member of an IAM grant."""
    role: str
    """The role, as Google names it: `roles/pubsub.viewer`, `projects/my-project/roles/my_role`.

    Goes to an IAM grant on the resource; for Firestore, on the project."""
    type: Literal["service", "service-account"] = "service"
    """What `name` is."""
