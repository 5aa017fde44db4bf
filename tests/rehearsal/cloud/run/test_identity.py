"""A service as its service account: Google's libraries in its process, unmodified."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

TOPIC = "projects/local-proj/topics/orders"
PUBLISHING_SERVICE = """
import http.server, json, os
import google.auth
from google.api_core import exceptions
from google.auth.transport.requests import Request
from google.cloud import pubsub_v1
from google.oauth2 import id_token
credentials, project = google.auth.default()
credentials.refresh(Request())
publisher = pubsub_v1.PublisherClient()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        told = {
            "project": project,
            "email": credentials.service_account_email,
            "token": credentials.token,
            "identity": id_token.fetch_id_token(Request(), "https://audience.example"),
        }
        try:
            told["published"] = publisher.publish(os.environ["TOPIC"], b"from a service").result(10)
        except exceptions.PermissionDenied as error:
            told["refused"] = str(error)
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


def test_a_service_publishes_with_its_own_rights(
    run: Any, local_cloud: Any, expect: Callable[..., Any]
) -> None:
    """Credentials, identity tokens and Pub/Sub in a service all are its account's (0.9, 0.12)."""
    expect(run.client.put(f"/pubsub/v1/{TOPIC}", json={}))
    email = local_cloud.account("worker")
    image = run.push({"main.py": PUBLISHING_SERVICE})
    env = [{"name": "TOPIC", "value": TOPIC}]
    body = run.template(image, account=email, env=env)
    uri = run.create("worker", body)["response"]["uri"]
    told = run.environment(uri)
    assert (told["project"], told["email"]) == ("local-proj", email)
    tokens = local_cloud.cloud.tokens
    assert tokens.principal_of(told["token"]) == f"serviceAccount:{email}"
    claims = tokens.verify_identity_token(told["identity"], audience="https://audience.example")
    assert claims["email"] == email
    assert "pubsub.topics.publish" in told["refused"]
    member = f"serviceAccount:{email}"
    local_cloud.grant(f"/pubsub/v1/{TOPIC}", "roles/pubsub.publisher", member)
    assert run.environment(uri)["published"]
