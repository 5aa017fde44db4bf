"""Faults reach gRPC calls as well."""

from __future__ import annotations

from typing import Any

import pytest
from google.api_core import exceptions, retry


def test_grpc_calls_fail_by_rule(pubsub: Any, local_cloud: Any, expect: Any) -> None:
    """A refusal and a dropped connection reach Google's client as its own errors."""
    method = "pubsub.projects.topics.create"
    rules = [
        {"match": {"method": method}, "nth": [1], "reply": {"code": 429}},
        {"match": {"method": method}, "nth": [2], "when": "after", "drop_connection": True},
    ]
    expect(local_cloud.deployer.put("/_local/faults", json={"rules": rules}))
    never = retry.Retry(predicate=lambda _: False)
    name = "projects/local-proj/topics/injected"
    with pytest.raises(exceptions.ResourceExhausted):
        pubsub.publisher.create_topic(name=name, retry=never)
    with pytest.raises(exceptions.ServiceUnavailable):
        pubsub.publisher.create_topic(name=name, retry=never)
    with pytest.raises(exceptions.AlreadyExists):
        pubsub.publisher.create_topic(name=name, retry=never)
