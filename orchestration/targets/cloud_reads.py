"""What can be read of a cloud before anything is made in it: projects, permissions, secrets, keys.

Nothing here changes anything. What an answer means for a run is said as a `Seen`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import quote, urlencode

import httpx

from orchestration.automation.results import Json
from orchestration.errors import CloudUnreachable
from orchestration.google_errors import gist_of
from orchestration.targets.prerequisite import Seen, missing, ok, unknown
from orchestration.tls import trusted_certificates

TIMEOUT_S = 30.0
SHOWN_CHARACTERS = 300
# Of the deployer and the director alike, on what encrypts the stacks' secrets.
KEY_PERMISSIONS = (
    "cloudkms.cryptoKeyVersions.useToDecrypt",
    "cloudkms.cryptoKeyVersions.useToEncrypt",
)
# What Pulumi's state takes, and granting the director the same.
BUCKET_PERMISSIONS = (
    "storage.buckets.getIamPolicy",
    "storage.buckets.setIamPolicy",
    "storage.objects.create",
    "storage.objects.delete",
    "storage.objects.get",
    "storage.objects.list",
    "storage.objects.update",
)
GRANTING_ON_KEYS = ("cloudkms.cryptoKeys.getIamPolicy", "cloudkms.cryptoKeys.setIamPolicy")


@dataclass(frozen=True, slots=True)
class CloudReads:
    """Reads one project as one caller; `endpoints` are base URLs with their versions, by API."""

    endpoints: Mapping[str, str]
    access_token: Callable[[], str]
    project_id: str

    def project(self) -> Seen:
        """Say whether the project is there and active."""
        answer = self._get("resourcemanager", f"projects/{self.project_id}")
        if answer.status_code in {HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN}:
            # Google tells strangers no difference between the two.
            if _is_disabled(answer):
                return unknown(gist_of(answer))
            return missing(f"project {self.project_id} does not exist, or you may not see it")
        state = _required(answer).get("lifecycleState")
        if state != "ACTIVE":
            return missing(f"project {self.project_id} is {str(state).lower()}")
        return ok(f"project {self.project_id} is active")

    def billing(self) -> Seen:
        """Say whether somebody pays for the project."""
        answer = self._get("cloudbilling", f"projects/{self.project_id}/billingInfo")
        if answer.status_code == HTTPStatus.FORBIDDEN:
            return unknown(gist_of(answer))
        if _required(answer).get("billingEnabled"):
            return ok("billing is enabled")
        return missing(f"project {self.project_id} has no billing account")

    def enabled_apis(self) -> frozenset[str] | None:
        """Give the APIs that are enabled in the project; None where that may not be asked."""
        enabled: set[str] = set()
        page = ""
        while True:
            query = urlencode({"filter": "state:ENABLED", "pageSize": 200, "pageToken": page})
            answer = self._get("serviceusage", f"projects/{self.project_id}/services?{query}")
            if answer.status_code == HTTPStatus.FORBIDDEN:
                return None
            body = _required(answer)
            listed = body.get("services")
            enabled |= {
                str(item.get("name", "")).rpartition("/")[2]
                for item in (listed if isinstance(listed, list) else [])
                if isinstance(item, dict)
            }
            page = str(body.get("nextPageToken") or "")
            if not page:
                return frozenset(enabled)

    def bucket(self, name: str) -> Seen:
        """Say whether a bucket is fit for state: there, versioned, closed to the public."""
        answer = self._get("storage", f"b/{quote(name, safe='')}")
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return missing(f"bucket {name} does not exist")
        if answer.status_code == HTTPStatus.FORBIDDEN:
            return unknown(gist_of(answer))
        lacking = [what for what, is_so in _fitness(_required(answer)) if not is_so]
        if lacking:
            return missing(f"bucket {name} has no {', no '.join(lacking)}")
        return ok("there, versioned, closed to the public")

    def bucket_rights(self, name: str) -> Seen:
        """Say whether the caller may keep state in a bucket, and let the director do the same."""
        query = urlencode([("permissions", item) for item in BUCKET_PERMISSIONS])
        answer = self._get("storage", f"b/{quote(name, safe='')}/iam/testPermissions?{query}")
        return _rights(BUCKET_PERMISSIONS, answer, f"bucket {name}")

    def key(self, path: str) -> Seen:
        """Say whether a key of Cloud KMS encrypts."""
        answer = self._get("cloudkms", path)
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return missing(f"key {path} does not exist")
        if answer.status_code == HTTPStatus.FORBIDDEN:
            return unknown(gist_of(answer))
        held = _required(answer)
        if held.get("purpose") != "ENCRYPT_DECRYPT":
            return missing(f"key {path} is not one for encryption")
        primary = held.get("primary")
        if not isinstance(primary, dict) or primary.get("state") != "ENABLED":
            return missing(f"key {path} has no enabled primary version")
        return ok("there, with an enabled primary version")

    def key_rights(self, path: str) -> Seen:
        """Say whether the caller may use a key, and let the director use it."""
        wanted = (*KEY_PERMISSIONS, *GRANTING_ON_KEYS)
        answer = self._post("cloudkms", f"{path}:testIamPermissions", {"permissions": list(wanted)})
        return _rights(wanted, answer, f"key {path}")

    def allowed(self, permissions: Collection[str]) -> frozenset[str]:
        """Give those of these permissions on the project that the caller has.

        Raises:
            CloudUnreachable: it does not answer.
        """
        answer = self._post(
            "resourcemanager",
            f"projects/{self.project_id}:testIamPermissions",
            {"permissions": list(permissions)},
        )
        held = _required(answer).get("permissions")
        return frozenset(map(str, held)) if isinstance(held, list) else frozenset()

    def secret(self, secret: str, version: str) -> Seen:
        """Say whether a secret's version can be read."""
        base = f"projects/{self.project_id}/secrets/{secret}"
        answer = self._get("secretmanager", f"{base}/versions/{version}")
        # An API that was never enabled has no secrets; phase 2 enables it.
        if answer.status_code == HTTPStatus.NOT_FOUND or _is_disabled(answer):
            where = f"in project {self.project_id}"
            if self._get("secretmanager", base).is_success:
                return missing(f"secret {secret} has no version {version} {where}")
            return missing(f"secret {secret} does not exist {where}")
        state = _required(answer).get("state")
        if state != "ENABLED":
            return missing(f"version {version} of secret {secret} is {str(state).lower()}")
        return ok(f"version {version} of secret {secret} is enabled")

    def _get(self, api: str, path: str) -> httpx.Response:
        return self._call("GET", api, path, None)

    def _post(self, api: str, path: str, body: Mapping[str, Json]) -> httpx.Response:
        return self._call("POST", api, path, body)

    def _call(
        self, method: str, api: str, path: str, body: Mapping[str, Json] | None
    ) -> httpx.Response:
        url = f"{self.endpoints[api]}/{path}"
        try:
            return httpx.request(
                method,
                url,
                json=body,
                headers={"Authorization": f"Bearer {self.access_token()}"},
                timeout=TIMEOUT_S,
                verify=trusted_certificates(),
            )
        except httpx.HTTPError as error:
            raise CloudUnreachable(f"{url} does not answer: {error}") from error


def _fitness(bucket: Mapping[str, Json]) -> list[tuple[str, bool]]:
    """Tell what a bucket of state must have: old versions to go back to, access by IAM alone."""
    iam, versioning = bucket.get("iamConfiguration"), bucket.get("versioning")
    iam = iam if isinstance(iam, dict) else {}
    uniform = iam.get("uniformBucketLevelAccess")
    return [
        ("object versioning", isinstance(versioning, dict) and bool(versioning.get("enabled"))),
        ("uniform bucket-level access", isinstance(uniform, dict) and bool(uniform.get("enabled"))),
        ("public access prevention", iam.get("publicAccessPrevention") == "enforced"),
    ]


def _rights(wanted: Collection[str], answer: httpx.Response, where: str) -> Seen:
    if answer.status_code in {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}:
        return unknown(gist_of(answer))
    held = _required(answer).get("permissions")
    lacking = sorted(set(wanted) - set(map(str, held if isinstance(held, list) else [])))
    return missing(f"you lack {', '.join(lacking)} on {where}") if lacking else ok("all there")


def _is_disabled(answer: httpx.Response) -> bool:
    return answer.status_code == HTTPStatus.FORBIDDEN and "SERVICE_DISABLED" in answer.text


def _required(answer: httpx.Response) -> Mapping[str, Json]:
    if not answer.is_success:
        raise CloudUnreachable(
            f"{answer.url} answers {answer.status_code}: {answer.text[:SHOWN_CHARACTERS]}"
        )
    body = answer.json()
    return body if isinstance(body, dict) else {}
