"""A bucket, and Google's own client of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from google.cloud import storage
from google.oauth2.credentials import Credentials


@pytest.fixture(name="client")
def client_fixture(local_cloud: Any) -> Iterator[storage.Client]:
    """`google-cloud-storage` as the deployer."""
    local_cloud.enable("storage")
    token = local_cloud.cloud.tokens.access_token(local_cloud.cloud.deployer)
    client = storage.Client(
        "local-proj",
        credentials=Credentials(token=token),
        client_options={"api_endpoint": f"{local_cloud.base_url}/storage"},
    )
    yield client
    client.close()


@pytest.fixture(name="bucket")
def bucket_fixture(client: storage.Client) -> Any:
    """An empty bucket."""
    return client.create_bucket("reports", location="EU")
