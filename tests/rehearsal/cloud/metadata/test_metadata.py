"""The metadata server, asked by google-auth itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import google.auth
import google.auth.transport.requests
import httpx
import pytest
from google.auth.compute_engine import _metadata
from google.oauth2 import id_token

from rehearsal.cloud.metadata.server import Instance, MetadataServer
from rehearsal.cloud.pubsub.state import broker_of

GOOGLE = {"Metadata-Flavor": "Google"}
ACCOUNT = "/computeMetadata/v1/instance/service-accounts/default"


@pytest.fixture
def email(local_cloud: Any) -> str:
    """The account the metadata server speaks for."""
    return str(local_cloud.account("worker"))


@pytest.fixture
def metadata(local_cloud: Any, email: str) -> Iterator[MetadataServer]:
    """A metadata server as a sidecar of a service."""
    loop = broker_of(local_cloud.cloud)._sweeper._loop

    async def start() -> MetadataServer:
        server = MetadataServer(local_cloud.cloud, Instance("abc", "europe-west1", email))
        await server.start()
        return server

    server = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    yield server
    asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)


@pytest.fixture
def ask(metadata: MetadataServer) -> Callable[..., httpx.Response]:
    """Ask the metadata server."""

    def get(path: str, **options: Any) -> httpx.Response:
        options.setdefault("headers", GOOGLE)
        return httpx.get(f"http://{metadata.address}{path}", trust_env=False, **options)

    return get


@pytest.fixture
def on_cloud_run(
    metadata: MetadataServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> google.auth.transport.requests.Request:
    """An environment like a service's, as far as google-auth looks."""
    monkeypatch.setenv("GCE_METADATA_HOST", metadata.address)
    monkeypatch.setenv("GCE_METADATA_IP", metadata.address)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    # The library reads these variables when it is imported.
    monkeypatch.setattr(_metadata, "_GCE_METADATA_HOST", metadata.address, raising=False)
    root = f"http://{metadata.address}"
    monkeypatch.setattr(_metadata, "_METADATA_ROOT", f"{root}/computeMetadata/v1/", raising=False)
    monkeypatch.setattr(_metadata, "_METADATA_IP_ROOT", root, raising=False)
    return google.auth.transport.requests.Request()


def test_default_credentials_are_the_accounts(
    on_cloud_run: Any, local_cloud: Any, email: str
) -> None:
    """Application default credentials are found, and their token names the account."""
    credentials, project = google.auth.default(request=on_cloud_run)
    credentials.refresh(on_cloud_run)
    assert project == "local-proj"
    assert credentials.service_account_email == email
    assert credentials.universe_domain == "googleapis.com"
    principal = local_cloud.cloud.tokens.principal_of(credentials.token)
    assert principal == f"serviceAccount:{email}"


def test_identity_tokens_are_for_the_audience(
    on_cloud_run: Any, local_cloud: Any, email: str
) -> None:
    """`fetch_id_token` gets a token of the account for the service it wants to call."""
    token = id_token.fetch_id_token(on_cloud_run, "http://127.0.0.1:1")
    claims = local_cloud.cloud.tokens.verify_identity_token(token, audience="http://127.0.0.1:1")
    assert claims["email"] == email
    assert claims["email_verified"] is True


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/computeMetadata/v1/project/project-id", "local-proj"),
        ("/computeMetadata/v1/project/numeric-project-id", "123456789012"),
        ("/computeMetadata/v1/instance/id", "abc"),
        (
            "/computeMetadata/v1/instance/region",
            "projects/123456789012/regions/europe-west1",
        ),
        ("/computeMetadata/v1/universe/universe-domain", "googleapis.com"),
        (f"{ACCOUNT}/aliases", "default\n"),
    ],
)
def test_values_are_told(ask: Callable[..., httpx.Response], path: str, text: str) -> None:
    """Each value is plain text under its path."""
    answer = ask(path)
    assert (answer.status_code, answer.text) == (200, text)
    assert answer.headers["Metadata-Flavor"] == "Google"


def test_requests_without_the_header_are_refused(ask: Callable[..., httpx.Response]) -> None:
    """The header keeps forged cross-site requests out; the ping alone needs none."""
    assert ask(f"{ACCOUNT}/token", headers={}).status_code == 403
    assert ask("/", headers={}).headers["Metadata-Flavor"] == "Google"


def test_unknown_values_are_not_found(ask: Callable[..., httpx.Response]) -> None:
    """What does not exist is 404; an identity token needs an audience."""
    assert ask("/computeMetadata/v1/instance/nothing").status_code == 404
    assert ask(f"{ACCOUNT}/nothing").status_code == 404
    other = ACCOUNT.replace("default", "other@example.com")
    assert ask(f"{other}/token").status_code == 404
    assert ask(f"{ACCOUNT}/identity").status_code == 400


def test_api_calls_on_the_port_have_the_accounts_identity(
    ask: Callable[..., httpx.Response], local_cloud: Any, email: str
) -> None:
    """Clients that send no token are the service's account, with its rights and no others."""
    topics = "/pubsub/v1/projects/local-proj/topics"
    assert ask(topics).status_code == 403
    local_cloud.grant(
        "/resourcemanager/v1/projects/local-proj", "roles/pubsub.viewer", f"serviceAccount:{email}"
    )
    assert ask(topics).status_code == 200
