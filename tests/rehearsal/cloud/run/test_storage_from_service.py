"""A service that uses Google's client of Cloud Storage as it would on Google's machines."""

from __future__ import annotations

from typing import Any

# Nothing here knows of a local cloud.
SERVICE = """
import http.server, os
from google.cloud import storage
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        blob = storage.Client().bucket("reports").blob("seen")
        try:
            blob.upload_from_string(self.path)
            code, text = 200, blob.download_as_bytes()
        except Exception as error:
            code, text = 500, repr(error).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


def test_a_service_reads_and_writes_with_googles_client(local_cloud: Any, run: Any) -> None:
    """It is refused as its account is, and works with the grant that its account needs."""
    local_cloud.enable("storage")
    email = local_cloud.account("worker-sa")
    local_cloud.deployer.post(
        "/storage/storage/v1/b", params={"project": "local-proj"}, json={"name": "reports"}
    )
    template = run.template(run.push({"main.py": SERVICE}), account=email)
    service = run.create("worker", template)["response"]
    refused = run.call(service["uri"], "/first")
    assert refused.status_code == 500
    assert email in refused.text or "Permission" in refused.text
    policy = local_cloud.deployer.get("/storage/storage/v1/b/reports/iam").json()
    grant = {"role": "roles/storage.objectUser", "members": [f"serviceAccount:{email}"]}
    policy["bindings"] = [*policy.get("bindings", []), grant]
    local_cloud.deployer.put("/storage/storage/v1/b/reports/iam", json=policy)
    answer = run.call(service["uri"], "/second")
    assert (answer.status_code, answer.text) == (200, "/second")
