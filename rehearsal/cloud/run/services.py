"""Services and revisions as resources: what the API takes, keeps and shows.

Starting anything is `controller`'s matter.
"""

import re
import secrets
import string
import uuid
from collections.abc import Sequence

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.errors import (
    already_exists,
    failed_precondition,
    invalid_argument,
    not_found,
)
from rehearsal.cloud.local_cloud import LocalCloud
from rehearsal.cloud.run import conditions, templates
from rehearsal.cloud.run.template_checks import check_service
from rehearsal.cloud.run.traffic import checked_traffic

SERVICES = "run.services"
REVISIONS = "run.revisions"
# The template each revision was made of, defaults included.
_TEMPLATES = "run.templates"
_OF_TEMPLATES_ALONE = frozenset({"healthCheckDisabled", "labels", "revision"})
# The port of each tag's URL, by service.
_TAGS = "run.tags"
# The services that get a new revision whatever their template.
_FORCED = "run.forced"

_SERVICE_ID = re.compile(r"[a-z]([-a-z0-9]{0,47}[a-z0-9])?")
# What a caller may set; everything else is the service's own.
_SETTABLE = frozenset(
    {
        "annotations",
        "binaryAuthorization",
        "buildConfig",
        "client",
        "clientVersion",
        "customAudiences",
        "defaultUriDisabled",
        "description",
        "functionalType",
        "iapEnabled",
        "ingress",
        "invokerIamDisabled",
        "labels",
        "launchStage",
        "multiRegionSettings",
        "scaling",
        "sshEnabled",
        "template",
        "traffic",
    }
)


class Services:
    """The services and revisions in the store."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud
        self._store = cloud.store

    def get(self, name: str) -> JsonObject:
        """Return a service.

        Raises:
            ApiError: 404.
        """
        service = self._store.get(SERVICES, name)
        if service is None:
            _, project, _, region, _, service_id = name.split("/")
            raise not_found(
                f"Resource '{service_id}' of kind 'SERVICE' in region '{region}' in project "
                f"'{project}' does not exist."
            )
        return service

    def find(self, name: str) -> JsonObject | None:
        """Return a service, or None."""
        return self._store.get(SERVICES, name)

    def all(self, parent: str = "") -> Sequence[JsonObject]:
        """Return the services of a location (`…/locations/-`: of every one), or all there are."""
        prefix = f"{parent}/services/" if parent else ""
        if parent.endswith("/-"):
            prefix = parent.removesuffix("-")
        return [body for _, body in self._store.items(SERVICES, prefix)]

    def save(self, service: JsonObject) -> JsonObject:
        """Keep a service as it now is."""
        if not service.get("reconciling"):
            # As JSON of proto3 goes: a flag that is off is not there.
            service.pop("reconciling", None)
        service["etag"] = _etag()
        self._store.put(SERVICES, service["name"], service)
        return service

    def delete(self, name: str) -> None:
        """Forget a service and its revisions."""
        self._store.delete(SERVICES, name)
        revisions = [key for key, _ in self._store.items(REVISIONS, f"{name}/revisions/")]
        self._store.delete_many(REVISIONS, revisions)
        self._store.delete_many(_TEMPLATES, revisions)
        self._store.delete(_TAGS, name)
        self._store.delete(_FORCED, name)

    def new(self, parent: str, service_id: str, body: JsonObject, principal: str) -> JsonObject:
        """Return a new service, not kept yet.

        Raises:
            ApiError: 400, or 409 where it exists.
        """
        if not _SERVICE_ID.fullmatch(service_id):
            raise invalid_argument(
                f"Violation in CreateServiceRequest.service_id: Invalid service id '{service_id}': "
                "it must consist of lower case letters, digits and dashes, begin with a letter, "
                "not end with a dash and have at most 49 characters."
            )
        name = f"{parent}/services/{service_id}"
        if self.find(name) is not None:
            raise already_exists(f"Resource '{service_id}' already exists.")
        created_at = conditions.now()
        service: JsonObject = {
            "name": name,
            "uid": str(uuid.uuid4()),
            "generation": "0",
            "createTime": created_at,
            "creator": principal.partition(":")[2],
        }
        return self.changed(service, body, principal)

    def changed(self, service: JsonObject, body: JsonObject, principal: str) -> JsonObject:
        """Return the service with everything settable replaced, not kept yet.

        Raises:
            ApiError: 400.
        """
        settings = {
            key: value
            for key, value in body.items()
            if key in _SETTABLE and value not in (None, False, "", {}, [])
        }
        template = templates.with_defaults(
            settings.get("template") or {}, default_account=self.default_account
        )
        self._check_revision_name(service["name"], template)
        traffic = checked_traffic(
            settings.get("traffic") or (),
            service["name"].rsplit("/", 1)[-1],
            lambda revision: self.has_revision(service["name"], revision),
        )
        kept = {key: value for key, value in service.items() if key not in _SETTABLE}
        changed: JsonObject = (
            kept
            | {"launchStage": "GA", "ingress": "INGRESS_TRAFFIC_ALL"}
            | settings
            | {
                "template": template,
                "traffic": traffic,
                "generation": str(int(service["generation"]) + 1),
                "updateTime": conditions.now(),
                "lastModifier": principal.partition(":")[2],
            }
        )
        check_service(changed)
        return changed

    def _check_revision_name(self, service: str, template: JsonObject) -> None:
        """Refuse the name of a revision that was made of another template."""
        revision_id = template.get("revision")
        known = self.template(f"{service}/revisions/{revision_id}") if revision_id else None
        if known is not None and not templates.is_same(known, template):
            raise already_exists(
                f"Revision named '{revision_id}' with different configuration already exists."
            )

    def record(self, name: str, status: JsonObject) -> JsonObject:
        """Set fields of a service that are its own to report."""
        return self.save(self.get(name) | status)

    @property
    def default_account(self) -> str:
        """Return the account of services that name none."""
        return f"{self._cloud.project_number}-compute@developer.gserviceaccount.com"

    def new_revision(self, service: JsonObject) -> JsonObject:
        """Create the revision that a service's template describes, unless it names one there is."""
        template = service["template"]
        service_id = service["name"].rsplit("/", 1)[-1]
        suffix = "".join(secrets.choice(string.ascii_lowercase) for _ in range(3))
        revision_id = (
            template.get("revision") or f"{service_id}-{int(service['generation']):05d}-{suffix}"
        )
        name = f"{service['name']}/revisions/{revision_id}"
        known = self._store.get(REVISIONS, name)
        if known is not None:
            # Named by its template, which has not changed since: see `_check_revision_name`.
            return known
        revision: JsonObject = {
            key: value for key, value in template.items() if key not in _OF_TEMPLATES_ALONE
        } | {
            "name": name,
            "uid": str(uuid.uuid4()),
            "generation": "1",
            "createTime": conditions.now(),
            "updateTime": conditions.now(),
            "labels": template.get("labels") or {},
            "launchStage": service["launchStage"],
            "service": service_id,
            "logUri": f"http://127.0.0.1:{self._cloud.port}/_local/logs/{service_id}"
            f"?revision={revision_id}",
            "conditions": conditions.revision_pending(),
            "reconciling": True,
        }
        self._store.put(_TEMPLATES, name, template)
        self._store.put(REVISIONS, name, revision)
        self._store.delete(_FORCED, service["name"])
        return revision

    def has_revision(self, service: str, revision: str) -> bool:
        """Return whether a service has a revision of this short name."""
        return self._store.get(REVISIONS, f"{service}/revisions/{revision}") is not None

    def force_new_revision(self, service: str) -> None:
        """Have the next rollout make a revision although the template is the same."""
        self._store.put(_FORCED, service, {})

    def is_new_revision_forced(self, service: str) -> bool:
        """Return whether the next rollout makes a revision in any case."""
        return self._store.get(_FORCED, service) is not None

    def tag_ports(self, service: str) -> JsonObject:
        """Return the port of each tag's URL."""
        return self._store.get(_TAGS, service) or {}

    def keep_tag_ports(self, service: str, ports: JsonObject) -> None:
        """Remember the ports of tags' URLs, for the next life of the local cloud."""
        self._store.put(_TAGS, service, ports)

    def template(self, revision: str) -> JsonObject | None:
        """Return the template that a revision was made of, or None without such a revision."""
        return self._store.get(_TEMPLATES, revision)

    def settle_revision(self, name: str, outcome: Sequence[JsonObject]) -> None:
        """Record how starting a revision ended."""
        revision = self._store.get(REVISIONS, name)
        if revision is not None:
            revision |= {
                "conditions": list(outcome),
                "updateTime": conditions.now(),
                "observedGeneration": revision["generation"],
                "etag": _etag(),
            }
            revision.pop("reconciling", None)
            self._store.put(REVISIONS, name, revision)

    def set_condition(self, name: str, condition: JsonObject) -> None:
        """Replace one condition of a revision."""
        revision = self._store.get(REVISIONS, name)
        if revision is not None:
            after = conditions.merged(revision["conditions"], condition)
            if after != revision["conditions"]:
                self._store.put(REVISIONS, name, revision | {"conditions": after})

    def set_promised(self, name: str, count: int) -> None:
        """Record how many instances a revision has at least."""
        revision = self._store.get(REVISIONS, name)
        if revision is not None:
            revision["scalingStatus"] = {"desiredMinInstanceCount": count} if count else {}
            self._store.put(REVISIONS, name, revision)

    def require_unused(self, name: str) -> None:
        """Refuse to delete a revision that is its service's latest, or has traffic or a tag.

        Raises:
            ApiError: 400; the rule is from Google's guide on managing revisions.
        """
        service = self.get(name.rsplit("/revisions/", 1)[0])
        revision_id = name.rsplit("/", 1)[-1]
        if name in (service.get("latestCreatedRevision"), service.get("latestReadyRevision")):
            raise failed_precondition(
                f"Revision '{revision_id}' is the latest of its service and cannot be deleted."
            )
        targets = [*service["traffic"], *service.get("trafficStatuses", ())]
        if any(target.get("revision") == revision_id for target in targets):
            raise failed_precondition(
                f"Revision '{revision_id}' is able to receive traffic and cannot be deleted."
            )

    def delete_revision(self, name: str) -> None:
        """Forget a revision."""
        self._store.delete(REVISIONS, name)
        self._store.delete(_TEMPLATES, name)

    def names_of_revisions(self, service: str) -> Sequence[str]:
        """Return the full names of a service's revisions."""
        return [name for name, _ in self._store.items(REVISIONS, f"{service}/revisions/")]

    def revision(self, name: str) -> JsonObject:
        """Return a revision.

        Raises:
            ApiError: 404.
        """
        revision = self._store.get(REVISIONS, name)
        if revision is None:
            raise not_found(f"Revision '{name.rsplit('/', 1)[-1]}' does not exist.")
        return revision

    def revisions(self, service: str) -> Sequence[JsonObject]:
        """Return the revisions of a service (`-`: of every service of the location)."""
        parent, _, service_id = service.rpartition("/")
        prefix = f"{parent}/" if service_id == "-" else f"{service}/revisions/"
        return [body for _, body in self._store.items(REVISIONS, prefix)]


def _etag() -> str:
    return f'"{secrets.token_urlsafe(12)}"'
