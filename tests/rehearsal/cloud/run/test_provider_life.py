"""What the official provider sends in a Cloud Run service's whole life, and again after its end."""

from __future__ import annotations

from typing import Any

from official_provider import L, P, Provider

# What the provider reads into its state and sends back, server's defaults included.
ECHOED = ("ingress", "labels", "launchStage", "template", "traffic")


def test_a_service_lives_as_the_provider_leads_it(local_cloud: Any, run: Any, echo: str) -> None:
    """Created, changed by a full echo without a mask, granted, deleted, each polled; then anew."""
    provider = Provider(local_cloud)
    provider.send("POST", f"iam/v1/{P}/serviceAccounts", {"accountId": "worker-sa"})
    path = f"run/v2/{L}/services/worker"
    for _ in range(2):
        template = {
            "containers": [{"image": echo, "env": [{"name": "X", "value": "1"}]}],
            "serviceAccount": "worker-sa@local-proj.iam.gserviceaccount.com",
        }
        creating = provider.send(
            "POST",
            f"run/v2/{L}/services",
            {"labels": {"v": "1"}, "template": template},
            serviceId="worker",
        )
        provider.wait("run/v2/", creating)
        created = provider.send("GET", path)
        assert created["terminalCondition"]["state"] == "CONDITION_SUCCEEDED"
        assert created["generation"] == created["observedGeneration"] == "1"
        # Probes of other kinds are sent as nulls.
        probe = created["template"]["containers"][0]["startupProbe"]
        probe |= {"grpc": None, "httpGet": None}
        echoed = {name: created[name] for name in ECHOED} | {"labels": {"v": "2"}}
        provider.wait("run/v2/", provider.send("PATCH", path, echoed))
        changed = provider.send("GET", path)
        assert changed["labels"] == {"v": "2"}
        # The echo of the same template is no change of it.
        assert changed["latestReadyRevision"] == created["latestReadyRevision"]
        echoed["template"]["containers"][0]["env"][0]["value"] = "2"
        provider.wait("run/v2/", provider.send("PATCH", path, echoed))
        assert run.environment(changed["uri"])["X"] == "2"
        provider.lend("GET", path, "roles/run.invoker")
        provider.wait("run/v2/", provider.send("DELETE", path))
        provider.gone(path)
