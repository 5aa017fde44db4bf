"""The environment of a service's process: Cloud Run's contract, and where the local cloud is."""

import base64
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.errors import ApiError
from rehearsal.cloud.faults.injector import ConnectionDroppedError
from rehearsal.cloud.local_cloud import LocalCloud
from rehearsal.cloud.pipeline import Request
from rehearsal.cloud.run import failures
from rehearsal.cloud.run.images import Program
from rehearsal.cloud.run.templates import container_of

# What a process needs of this machine; nothing of the developer's own settings.
_INHERITED = ("LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "SSL_CERT_FILE")
_LOOPBACK = "127.0.0.1,localhost"


@dataclass(frozen=True, slots=True)
class Identity:
    """Where a revision's process finds its identity."""

    metadata_address: str
    pubsub_port: int


@dataclass(frozen=True, slots=True)
class RevisionNames:
    """The names that Cloud Run tells a process."""

    service: str
    revision: str


def process_surroundings(program: Program, home: Path) -> dict[str, str]:
    """Return what a process has of this machine and of its image."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    interpreter_folder = str(Path(sys.executable).parent)
    return {
        **inherited,
        **program.environment,
        "PATH": os.pathsep.join([interpreter_folder, os.environ.get("PATH", os.defpath)]),
        "HOME": str(home),
        "PYTHONUNBUFFERED": "1",
    }


def container_surroundings() -> dict[str, str]:
    """Return what a container has beside its image's own settings.

    Images say `HOST=0.0.0.0` because a container has a network of its own; here it has not.
    """
    return {"HOST": "127.0.0.1"}


def environment_of(
    cloud: LocalCloud,
    surroundings: Mapping[str, str],
    variables: Mapping[str, str],
    names: RevisionNames,
    identity: Identity,
    *,
    port: int,
) -> dict[str, str]:
    """Return everything that a revision gets to see."""
    endpoint = f"http://127.0.0.1:{cloud.port}"
    return {
        **surroundings,
        # Nothing that was not pointed at the local cloud may reach the internet.
        "HTTP_PROXY": endpoint,
        "HTTPS_PROXY": endpoint,
        "http_proxy": endpoint,
        "https_proxy": endpoint,
        "NO_PROXY": _LOOPBACK,
        "no_proxy": _LOOPBACK,
        "GOOGLE_CLOUD_PROJECT": cloud.project_id,
        # google-auth pings the IP and asks the host; with one alone it finds nothing.
        "GCE_METADATA_HOST": identity.metadata_address,
        "GCE_METADATA_IP": identity.metadata_address,
        "PUBSUB_EMULATOR_HOST": f"127.0.0.1:{identity.pubsub_port}",
        # Clients of these send no token to an emulator: the port knows the revision's account.
        "STORAGE_EMULATOR_HOST": f"http://{identity.metadata_address}/storage",
        "BIGQUERY_EMULATOR_HOST": f"http://{identity.metadata_address}/bigquery",
        "LOCALCLOUD_ENDPOINT": endpoint,
        **variables,
        "PORT": str(port),
        "K_SERVICE": names.service,
        "K_REVISION": names.revision,
        "K_CONFIGURATION": names.service,
    }


async def resolved_variables(
    cloud: LocalCloud, template: JsonObject, revision: str
) -> dict[str, str]:
    """Return the template's variables, secrets read as the revision's service account.

    Raises:
        ApiError: a secret does not exist or may not be read.
    """
    variables: dict[str, str] = {}
    account = template["serviceAccount"]
    for index, variable in enumerate(container_of(template).get("env") or ()):
        secret = (variable.get("valueSource") or {}).get("secretKeyRef")
        if secret is None:
            variables[variable["name"]] = variable.get("value") or ""
        else:
            version = _version_name(cloud, secret)
            try:
                variables[variable["name"]] = await _secret(cloud, version, account)
            except ApiError as error:
                field = f"spec.template.spec.containers[0].env[{index}].value_from.secret_key_ref"
                raise failures.secret_refused(
                    revision,
                    f"{field}.name",
                    version,
                    account,
                    is_denied=error.status == "PERMISSION_DENIED",
                ) from error
    return variables


def _version_name(cloud: LocalCloud, reference: JsonObject) -> str:
    secret: str = reference["secret"]
    if not secret.startswith("projects/"):
        secret = f"{cloud.project}/secrets/{secret}"
    return f"{secret}/versions/{reference.get('version') or 'latest'}"


async def _secret(cloud: LocalCloud, version: str, account: str) -> str:
    request = Request(
        http_method="GET",
        raw_path=f"/secretmanager/v1/{version}:access",
        query={},
        body={},
        principal=f"serviceAccount:{account}",
    )
    try:
        answer = await cloud.pipeline.answer(request)
    except ConnectionDroppedError as error:
        raise ApiError(503, "UNAVAILABLE", "The connection was dropped.") from error
    assert answer is not None
    return base64.b64decode(answer["payload"]["data"]).decode()
