"""Service accounts: methods `iam.projects.serviceAccounts.*`."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from rehearsal.cloud.calls import Call, Handler, JsonObject, Requirement
from rehearsal.cloud.errors import aborted, already_exists, invalid_argument, not_found
from rehearsal.cloud.field_masks import implied_mask, masked
from rehearsal.cloud.iam.access import ACCOUNTS
from rehearsal.cloud.iam.policy_methods import policy_handlers, policy_requirements

if TYPE_CHECKING:
    from rehearsal.cloud.local_cloud import LocalCloud

_METHODS: Final = "iam.projects.serviceAccounts"
_TYPE: Final = "iam.serviceAccounts"
_ACCOUNT_ID: Final = re.compile(r"[a-z](?:[-a-z0-9]{4,28}[a-z0-9])")
_CHANGEABLE: Final = frozenset({"displayName", "description"})
REQUIREMENTS: Final[Mapping[str, Requirement]] = {
    f"{_METHODS}.create": Requirement(f"{_TYPE}.create", "projects/{project}"),
    f"{_METHODS}.list": Requirement(f"{_TYPE}.list", "projects/{project}"),
    f"{_METHODS}.get": Requirement(f"{_TYPE}.get", "{name}"),
    f"{_METHODS}.patch": Requirement(f"{_TYPE}.update", "{name}"),
    f"{_METHODS}.delete": Requirement(f"{_TYPE}.delete", "{name}"),
    f"{_METHODS}.enable": Requirement(f"{_TYPE}.enable", "{name}"),
    f"{_METHODS}.disable": Requirement(f"{_TYPE}.disable", "{name}"),
    **policy_requirements(_METHODS, _TYPE),
}


class ServiceAccounts:
    """The service accounts of the project, by full name."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud
        self._store = cloud.store

    def get(self, name: str) -> JsonObject:
        """Return an account; a new one may not be found for a while.

        Raises:
            ApiError: 404.
        """
        body = self._store.get(ACCOUNTS, name)
        if body is None or not self._cloud.iam.knows_account(body["email"]):
            raise not_found(f"Unknown service account: {name}")
        return body

    def handlers(self) -> dict[str, Handler]:
        """The methods that are modelled."""
        return {
            f"{_METHODS}.create": self._create,
            f"{_METHODS}.list": self._list,
            f"{_METHODS}.get": self._get,
            f"{_METHODS}.patch": self._patch,
            f"{_METHODS}.delete": self._delete,
            f"{_METHODS}.enable": self._enable,
            f"{_METHODS}.disable": self._disable,
            **policy_handlers(self._cloud, _METHODS, self.get),
        }

    async def _create(self, call: Call) -> JsonObject:
        account_id = call.body.get("accountId") or ""
        if not _ACCOUNT_ID.fullmatch(account_id):
            raise invalid_argument(
                f'Invalid account id "{account_id}": 6 to 30 lower-case letters, digits and'
                " dashes, beginning with a letter."
            )
        email = f"{account_id}@{self._cloud.project_id}.iam.gserviceaccount.com"
        name = f"{self._cloud.project}/serviceAccounts/{email}"
        if self._store.get(ACCOUNTS, name) is not None:
            raise already_exists(
                f"Service account {account_id} already exists within project {self._cloud.project}."
            )
        given = call.body.get("serviceAccount") or {}
        body = {
            "name": name,
            "projectId": self._cloud.project_id,
            "uniqueId": str(10**20 + secrets.randbelow(9 * 10**20)),
            "email": email,
            **{field: given[field] for field in sorted(_CHANGEABLE) if given.get(field)},
            "etag": _etag(),
            "oauth2ClientId": str(10**20 + secrets.randbelow(9 * 10**20)),
        }
        self._store.put(ACCOUNTS, name, body)
        self._cloud.iam.expect_account(email)
        return body

    async def _list(self, _call: Call) -> JsonObject:
        accounts = [body for _, body in self._store.items(ACCOUNTS)]
        return {"accounts": accounts} if accounts else {}

    async def _get(self, call: Call) -> JsonObject:
        return self.get(call.params["name"])

    async def _patch(self, call: Call) -> JsonObject:
        current = self.get(call.params["name"])
        given = call.body.get("serviceAccount") or {}
        mask = implied_mask(given) if call.update_mask is None else call.update_mask
        if call.replaces_all:
            mask = tuple(_CHANGEABLE)
        unchangeable = sorted(set(mask) - _CHANGEABLE)
        if unchangeable:
            raise invalid_argument(f"Invalid field mask: {', '.join(unchangeable)}.")
        if given.get("etag") and given["etag"] != current["etag"]:
            raise aborted("There were concurrent changes of the service account. Please retry.")
        return self._save(masked(current, given, mask))

    async def _delete(self, call: Call) -> JsonObject:
        body = self.get(call.params["name"])
        self._store.delete(ACCOUNTS, body["name"])
        self._cloud.iam.forget(body["name"])
        # A new account of the same name is another one and inherits nothing.
        self._cloud.iam.mark_deleted(f"serviceAccount:{body['email']}", body["uniqueId"])
        return {}

    async def _enable(self, call: Call) -> JsonObject:
        body = self.get(call.params["name"])
        body.pop("disabled", None)
        self._save(body)
        return {}

    async def _disable(self, call: Call) -> JsonObject:
        self._save(self.get(call.params["name"]) | {"disabled": True})
        return {}

    def _save(self, body: JsonObject) -> JsonObject:
        saved = body | {"etag": _etag()}
        self._store.put(ACCOUNTS, body["name"], saved)
        return saved


def _etag() -> str:
    return base64.b64encode(secrets.token_bytes(8)).decode()
