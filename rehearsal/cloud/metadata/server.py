"""The metadata server of one service account, as Google's client libraries ask it.

Owns `/computeMetadata/…` and the ping. Any other path on the same port is an API call without a
token and has the account's identity; `rehearsal.cloud.front` answers it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aiohttp import web

from rehearsal.cloud.fence import refusal_of
from rehearsal.cloud.front import Front
from rehearsal.cloud.listening import Listener
from rehearsal.cloud.local_cloud import LocalCloud
from rehearsal.cloud.tokens import LIFETIME_S

_FLAVOR = "Metadata-Flavor"
_GOOGLE = {_FLAVOR: "Google"}
_PREFIX = "/computeMetadata/v1/"
_ACCOUNT_PREFIX = "instance/service-accounts/"
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"


@dataclass(frozen=True, slots=True)
class Instance:
    """What a metadata server tells about the instance it belongs to."""

    instance_id: str
    region: str
    email: str


class MetadataServer:
    """One metadata server, speaking for one service account."""

    def __init__(self, cloud: LocalCloud, instance: Instance) -> None:
        self._cloud = cloud
        self._instance = instance
        self._principal = f"serviceAccount:{instance.email}"
        self._front = Front(cloud, default_principal=self._principal)
        self._listener = Listener(self._handle)
        self.port = 0

    @property
    def address(self) -> str:
        """Return `host:port`, as `GCE_METADATA_HOST` wants it."""
        return f"127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Open a free port."""
        self.port = await self._listener.open(0)

    async def stop(self) -> None:
        """Close the port."""
        await self._listener.close()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/":
            # Libraries look for the header only; the ping itself may come without one.
            return _text("computeMetadata/\n")
        if not request.path.startswith("/computeMetadata/"):
            return await self._front.handle(request)
        refusal = refusal_of(request)
        if refusal is not None:
            return web.Response(status=403, text=f"{refusal}\n", headers=_GOOGLE)
        if request.headers.get(_FLAVOR) != "Google":
            return web.Response(
                status=403, text=f"Missing {_FLAVOR}:Google header.\n", headers=_GOOGLE
            )
        return self._metadata(request.path.removeprefix(_PREFIX), request.query)

    def _metadata(self, path: str, query: Mapping[str, str]) -> web.Response:
        values: Mapping[str, Callable[[], str]] = {
            "project/project-id": lambda: self._cloud.project_id,
            "project/numeric-project-id": lambda: self._cloud.project_number,
            "instance/id": lambda: self._instance.instance_id,
            "instance/region": lambda: (
                f"projects/{self._cloud.project_number}/regions/{self._instance.region}"
            ),
            "instance/zone": lambda: (
                f"projects/{self._cloud.project_number}/zones/{self._instance.region}-1"
            ),
            "universe/universe-domain": lambda: "googleapis.com",
        }
        if path in values:
            return _text(values[path]())
        if path.startswith(_ACCOUNT_PREFIX):
            return self._account(path.removeprefix(_ACCOUNT_PREFIX), query)
        return _not_found()

    def _account(self, path: str, query: Mapping[str, str]) -> web.Response:
        name, _, key = path.partition("/")
        email = self._instance.email
        if not name:
            return _text(f"default/\n{email}/\n")
        if name not in {"default", email}:
            return _not_found()
        if key == "" and query.get("recursive", "").lower() == "true":
            account = {"aliases": ["default"], "email": email, "scopes": [_SCOPE]}
            return web.json_response(account, headers=_GOOGLE)
        answers: Mapping[str, Callable[[], web.Response]] = {
            "": lambda: _text("aliases\nemail\nidentity\nscopes\ntoken\n"),
            "aliases": lambda: _text("default\n"),
            "email": lambda: _text(email),
            "scopes": lambda: _text(f"{_SCOPE}\n"),
            "token": self._access_token,
            "identity": lambda: self._identity_token(query.get("audience", "")),
        }
        return answers.get(key, _not_found)()

    def _access_token(self) -> web.Response:
        token = self._cloud.tokens.access_token(self._principal, lifetime_s=LIFETIME_S)
        body = {"access_token": token, "expires_in": LIFETIME_S, "token_type": "Bearer"}
        return web.json_response(body, headers=_GOOGLE)

    def _identity_token(self, audience: str) -> web.Response:
        if not audience:
            return web.Response(
                status=400, text="non-empty audience parameter required\n", headers=_GOOGLE
            )
        token = self._cloud.tokens.identity_token(self._instance.email, audience)
        return _text(token)


def _text(text: str) -> web.Response:
    return web.Response(text=text, headers=_GOOGLE)


def _not_found() -> web.Response:
    return web.Response(status=404, text="Not found.\n", headers=_GOOGLE)
