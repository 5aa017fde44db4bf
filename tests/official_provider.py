"""How the official provider calls Google: paths behind its endpoints, polling, grants."""

from __future__ import annotations

from typing import Any

P = "projects/local-proj"
NUMBERED = "projects/123456789012"
L = f"{P}/locations/europe-west1"
MEMBER = "serviceAccount:worker-sa@local-proj.iam.gserviceaccount.com"


class Provider:
    """Sends as the official provider does."""

    def __init__(self, running: Any) -> None:
        self._client = running.deployer

    def send(self, method: str, path: str, body: Any = None, code: int = 200, **query: str) -> Any:
        """Send a call, expect its code, and return the body."""
        request = {"params": {"alt": "json", **query}}
        if body is not None:
            request["json"] = body
        answer = self._client.request(method, f"/{path}", **request)
        assert answer.status_code == code, answer.text
        return answer.json() if answer.content else None

    def wait(self, operations: str, operation: Any) -> Any:
        """Poll an operation below a base until it is done, and return its response."""
        while not operation.get("done"):
            operation = self.send("GET", f"{operations}{operation['name']}")
        assert "error" not in operation
        return operation["response"]

    def gone(self, path: str, **query: str) -> None:
        """Read what was deleted: 404 drops it from the state."""
        self.send("GET", path, code=404, **query)

    def lend(self, verb: str, resource: str, role: str) -> None:
        """Grant a role and take it away again, each by read, modify, write and three reads."""
        policy = self.send(verb, f"{resource}:getIamPolicy")
        others = policy.get("bindings", [])
        granted = {
            **policy,
            "version": 3,
            "bindings": [*others, {"role": role, "members": [MEMBER]}],
        }
        self.send("POST", f"{resource}:setIamPolicy", {"policy": granted})
        for _ in range(3):
            read = self.send(verb, f"{resource}:getIamPolicy")
            assert {"role": role, "members": [MEMBER]} in read["bindings"]
        # The last binding's end has no key `bindings` at all.
        kept = {"bindings": others} if others else {}
        left = {"policy": {"etag": read["etag"], "version": 3, **kept}}
        self.send("POST", f"{resource}:setIamPolicy", left)
        assert self.send(verb, f"{resource}:getIamPolicy").get("bindings", []) == others
