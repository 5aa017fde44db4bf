"""Routes of our own: what the local cloud tells about itself, and public keys.

They live under `/_local/`, away from Google's; the keys are where Google has its own.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from aiohttp import web

from rehearsal.cloud.errors import ApiError, invalid_argument, not_found, unauthenticated
from rehearsal.cloud.iam.members import ANONYMOUS
from rehearsal.cloud.iam.propagation import Propagation
from rehearsal.cloud.listening import whole_body
from rehearsal.cloud.tokens import ISSUER

if TYPE_CHECKING:
    from rehearsal.cloud.local_cloud import LocalCloud

_SERVICES_PATHS: Final = ("/_local/services", "/_local/addresses")
_LOGS_PATH: Final = "/_local/logs/"
# A service of the rehearsal shall neither break it nor read what others did.
_DEPLOYERS: Final = ("/_local/log", "/_local/services", "/_local/faults", "/_local/propagation")


class LocalRoutes:
    """Answers `/_local/…` and the public keys."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud

    async def answer(self, request: web.BaseRequest, principal: str) -> web.StreamResponse:
        """Answer one request.

        Raises:
            ApiError: 404 for what is not here, 403 for what is the deployer's alone.
        """
        if request.path.startswith(_DEPLOYERS) and principal != self._cloud.deployer:
            raise ApiError(403, "PERMISSION_DENIED", "Only the deployer may ask for this.")
        if request.path in _SERVICES_PATHS or request.path.startswith(_LOGS_PATH):
            # Cloud Run's sidecars serve these routes too: importing it above would be a circle.
            from rehearsal.cloud.run import local_routes  # noqa: PLC0415

            return local_routes.answer(self._cloud, request.path, request.query)
        match request.path:
            case "/_local/health":
                return web.json_response({"status": "ok", "project": self._cloud.project_id})
            case "/_local/log":
                return web.FileResponse(
                    self._cloud.log.path, headers={"Content-Type": "application/x-ndjson"}
                )
            case "/_local/faults" | "/_local/propagation":
                is_about_faults = request.path.endswith("faults")
                change = self._faults if is_about_faults else self._propagation
                return await change(request)
            case "/_local/identity-token":
                return self._identity_token(request, principal)
            case "/oauth2/v3/certs" | "/.well-known/openid-configuration":
                return self._public_keys(request.path)
        raise not_found(f"No such route: {request.path}")

    def _public_keys(self, path: str) -> web.StreamResponse:
        """The keys of identity tokens, or where they are."""
        if path.startswith("/oauth2/"):
            return web.json_response(self._cloud.tokens.jwks())
        keys = f"http://127.0.0.1:{self._cloud.port}/oauth2/v3/certs"
        return web.json_response({"issuer": ISSUER, "jwks_uri": keys})

    async def _faults(self, request: web.BaseRequest) -> web.StreamResponse:
        """Tell, replace or drop the fault rules."""
        faults = self._cloud.faults
        if request.method == "PUT":
            try:
                rules = json.loads(await whole_body(request))
            except ValueError as error:
                raise invalid_argument(f"Invalid fault rules: no JSON: {error}") from error
            faults.replace(rules)
        elif request.method == "DELETE":
            faults.clear()
        return web.json_response(faults.described())

    async def _propagation(self, request: web.BaseRequest) -> web.StreamResponse:
        """Change how long changes of grants take, from now on."""
        mode = (await whole_body(request)).decode(errors="replace").strip()
        if request.method != "PUT" or mode not in set(Propagation):
            raise invalid_argument(f"PUT one of: {', '.join(Propagation)}")
        self._cloud.propagate(Propagation(mode))
        return web.json_response({"propagation": mode})

    def _identity_token(self, request: web.BaseRequest, principal: str) -> web.StreamResponse:
        """A token of the caller's own, as `gcloud auth print-identity-token` gives a user."""
        if principal == ANONYMOUS:
            raise unauthenticated()
        audience = request.query.get("audience")
        if not audience:
            raise invalid_argument("Required parameter: audience")
        email = principal.partition(":")[2]
        return web.json_response({"token": self._cloud.tokens.identity_token(email, audience)})
