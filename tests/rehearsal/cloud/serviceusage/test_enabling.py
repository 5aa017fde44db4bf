"""Enabling APIs as the provider does it."""

from __future__ import annotations

from typing import Any

from rehearsal.cloud.iam.propagation import TIME_SCALE, Delays, Propagation

SERVICES = "/serviceusage/v1/projects/local-proj/services"
ENABLED = {"filter": "state:ENABLED", "fields": "services/name,nextPageToken", "pageSize": "200"}


def _enabled(cloud: Any, expect: Any) -> set[str]:
    listed = expect(cloud.deployer.get(SERVICES, params=ENABLED))["services"]
    return {service["name"].rpartition("/")[2] for service in listed}


def test_enabling_is_an_operation_polled_on_v1beta1(start_cloud: Any, expect: Any) -> None:
    """One API, several at once, then disabling one."""
    with start_cloud() as cloud:
        assert "run.googleapis.com" not in _enabled(cloud, expect)
        operation = expect(cloud.deployer.post(f"{SERVICES}/run.googleapis.com:enable", json={}))
        polled = expect(cloud.deployer.get(f"/serviceusage/v1beta1/{operation['name']}"))
        assert polled["done"] is True
        assert polled["response"]["service"]["state"] == "ENABLED"
        assert "run.googleapis.com" in _enabled(cloud, expect)
        body = {"serviceIds": ["iam.googleapis.com", "pubsub.googleapis.com"]}
        expect(cloud.deployer.post(f"{SERVICES}:batchEnable", json=body))
        brought = {"iam.googleapis.com", "iamcredentials.googleapis.com", "pubsub.googleapis.com"}
        assert brought <= _enabled(cloud, expect)
        body = {"checkIfServiceHasUsage": "SKIP"}
        expect(cloud.deployer.post(f"{SERVICES}/run.googleapis.com:disable", json=body))
        assert "run.googleapis.com" not in _enabled(cloud, expect)
        answer = expect(cloud.deployer.get(f"{SERVICES}/run.googleapis.com"))
        assert answer["state"] == "DISABLED"


def test_an_api_just_enabled_refuses_calls_for_a_moment(start_cloud: Any, expect: Any) -> None:
    """As Google does, with the refusal that providers wait out; listed as enabled it is at once."""
    api, secrets = "secretmanager.googleapis.com", "/secretmanager/v1/projects/local-proj/secrets"
    lag_s = Delays(Propagation.REALISTIC, seed=0).until_api_is_served(api)
    assert 0 < lag_s <= 30 * TIME_SCALE
    with start_cloud(Propagation.REALISTIC) as cloud:
        expect(cloud.deployer.post(f"{SERVICES}/{api}:enable", json={}))
        assert api in _enabled(cloud, expect)
        refused = expect(cloud.deployer.get(secrets), 403)
        assert "If you enabled this API recently, wait a few minutes" in refused["error"]["message"]
        cloud.clock.ahead_s += lag_s
        expect(cloud.deployer.get(secrets))
        expect(cloud.deployer.post(f"{SERVICES}/{api}:enable", json={}))
        expect(cloud.deployer.get(secrets))


def test_impossible_requests_are_refused(start_cloud: Any, expect: Any) -> None:
    """No API, too many at once, a name that is none, an operation that is none."""
    with start_cloud() as cloud:
        url = f"{SERVICES}:batchEnable"
        expect(cloud.deployer.post(url, json={"serviceIds": []}), 400)
        many = [f"api{n}.googleapis.com" for n in range(21)]
        expect(cloud.deployer.post(url, json={"serviceIds": many}), 400)
        expect(cloud.deployer.post(f"{SERVICES}/nonsense:enable", json={}), 400)
        expect(cloud.deployer.get("/serviceusage/v1/operations/none"), 404)
