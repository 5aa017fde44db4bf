"""Push subscriptions, posted to a real endpoint."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

BASE = "/pubsub/v1/projects/local-proj"
TOPIC_NAME = "projects/local-proj/topics/orders"
SUBSCRIPTION = f"{BASE}/subscriptions/pushed"
Expect = Callable[..., Any]


class Endpoint:
    """An HTTP endpoint that records requests and answers the codes it is told."""

    def __init__(self) -> None:
        self.codes: list[int] = []
        self.requests: list[tuple[dict[str, str], bytes]] = []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                endpoint.requests.append((dict(self.headers), body))
                self.send_response(endpoint.codes.pop(0) if endpoint.codes else 204)
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                """Stay quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/push"


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """An endpoint that serves while the test runs."""
    endpoint = Endpoint()
    thread = threading.Thread(target=endpoint.server.serve_forever, args=(0.01,))
    thread.start()
    yield endpoint
    endpoint.server.shutdown()
    thread.join()
    endpoint.server.server_close()


@pytest.fixture
def push(local_cloud: Any, expect: Expect) -> Callable[..., None]:
    """Create a push subscription and publish one message to it."""

    def create(config: dict[str, Any], **settings: Any) -> None:
        client = local_cloud.deployer
        expect(client.put(f"{BASE}/topics/orders", json={}))
        body = {"topic": TOPIC_NAME, "pushConfig": config, **settings}
        expect(client.put(SUBSCRIPTION, json=body))
        message = {"data": base64.b64encode(b"hello").decode(), "attributes": {"k": "v"}}
        expect(client.post(f"{BASE}/topics/orders:publish", json={"messages": [message]}))

    return create


def test_a_message_is_posted_as_the_configured_account(
    push: Callable[..., None], endpoint: Endpoint, local_cloud: Any, wait_until: Any
) -> None:
    """The body wraps the message; the token is the account's, for the endpoint."""
    email = local_cloud.account("pusher")
    push({"pushEndpoint": endpoint.url, "oidcToken": {"serviceAccountEmail": email}})
    wait_until(lambda: endpoint.requests)
    headers, body = endpoint.requests[0]
    posted = json.loads(body)
    assert posted["subscription"] == "projects/local-proj/subscriptions/pushed"
    assert base64.b64decode(posted["message"]["data"]) == b"hello"
    assert posted["message"]["attributes"] == {"k": "v"}
    assert posted["message"]["messageId"] == posted["message"]["message_id"]
    token = headers["Authorization"].removeprefix("Bearer ")
    claims = local_cloud.cloud.tokens.verify_identity_token(token, audience=endpoint.url)
    assert claims["email"] == email


def test_a_refused_message_is_posted_again(
    push: Callable[..., None], endpoint: Endpoint, wait_until: Any
) -> None:
    """Any answer but success leads to another attempt, after a growing pause."""
    endpoint.codes = [500, 403]
    push({"pushEndpoint": endpoint.url})
    wait_until(lambda: len(endpoint.requests) == 3)
    ids = {json.loads(body)["message"]["messageId"] for _, body in endpoint.requests}
    assert len(ids) == 1


def test_an_unwrapped_message_is_the_body(
    push: Callable[..., None], endpoint: Endpoint, wait_until: Any
) -> None:
    """With `noWrapper` the data itself is posted."""
    push({"pushEndpoint": endpoint.url, "noWrapper": {"writeMetadata": False}})
    wait_until(lambda: endpoint.requests)
    assert endpoint.requests[0][1] == b"hello"


def test_pushing_as_an_account_needs_act_as(
    endpoint: Endpoint, local_cloud: Any, expect: Expect
) -> None:
    """Who may not use the account cannot make Pub/Sub use it."""
    email, other = local_cloud.account("pusher"), local_cloud.account("another")
    project = "/resourcemanager/v1/projects/local-proj"
    local_cloud.grant(project, "roles/pubsub.editor", f"serviceAccount:{other}")
    client = local_cloud.client(f"serviceAccount:{other}")
    expect(client.put(f"{BASE}/topics/orders", json={}))
    config = {"pushEndpoint": endpoint.url, "oidcToken": {"serviceAccountEmail": email}}
    body = {"topic": TOPIC_NAME, "pushConfig": config}
    expect(client.put(SUBSCRIPTION, json=body), 403)
