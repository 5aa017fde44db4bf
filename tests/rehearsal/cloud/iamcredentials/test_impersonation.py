"""Short-lived tokens of service accounts."""

from __future__ import annotations

from typing import Any

import jwt

PROJECT = "/resourcemanager/v1/projects/local-proj"
EMAIL = "worker@local-proj.iam.gserviceaccount.com"
ACCOUNT = f"/iam/v1/projects/local-proj/serviceAccounts/{EMAIL}"
CREDENTIALS = f"/iamcredentials/v1/projects/-/serviceAccounts/{EMAIL}"
SCOPE = {"scope": ["https://www.googleapis.com/auth/cloud-platform"]}
CREATOR = "roles/iam.serviceAccountTokenCreator"


def test_impersonation_needs_the_token_creator_role(local_cloud: Any, expect: Any) -> None:
    """Even the owner impersonates only with the role, and then calls as the account."""
    local_cloud.account("worker")
    expect(local_cloud.deployer.post(f"{CREDENTIALS}:generateAccessToken", json=SCOPE), 403)
    local_cloud.grant(ACCOUNT, CREATOR, local_cloud.cloud.deployer)
    answer = expect(local_cloud.deployer.post(f"{CREDENTIALS}:generateAccessToken", json=SCOPE))
    worker = local_cloud.client(token=answer["accessToken"])
    expect(worker.get(PROJECT), 403)
    local_cloud.grant(PROJECT, "roles/browser", f"serviceAccount:{EMAIL}")
    expect(worker.get(PROJECT))
    local_cloud.clock.ahead_s = 3601
    expect(worker.get(PROJECT), 401)


def test_lifetime_has_bounds(local_cloud: Any, expect: Any) -> None:
    """An hour at most; scopes are required; a disabled account gets nothing."""
    local_cloud.account("worker")
    local_cloud.grant(ACCOUNT, CREATOR, local_cloud.cloud.deployer)
    url = f"{CREDENTIALS}:generateAccessToken"
    expect(local_cloud.deployer.post(url, json={**SCOPE, "lifetime": "600s"}))
    expect(local_cloud.deployer.post(url, json={**SCOPE, "lifetime": "7200s"}), 400)
    expect(local_cloud.deployer.post(url, json={}), 400)
    expect(local_cloud.deployer.post(f"{ACCOUNT}:disable", json={}))
    expect(local_cloud.deployer.post(url, json=SCOPE), 400)
    expect(local_cloud.deployer.post(f"{ACCOUNT}:enable", json={}))
    expect(local_cloud.deployer.post(url, json=SCOPE))


def test_identity_token_is_verified_by_the_published_keys(local_cloud: Any, expect: Any) -> None:
    """Anybody can verify an identity token with the keys at `/oauth2/v3/certs`."""
    local_cloud.account("worker")
    local_cloud.grant(ACCOUNT, CREATOR, local_cloud.cloud.deployer)
    body = {"audience": "http://service.test", "includeEmail": True}
    token = expect(local_cloud.deployer.post(f"{CREDENTIALS}:generateIdToken", json=body))["token"]
    configuration = expect(local_cloud.client().get("/.well-known/openid-configuration"))
    keys = expect(local_cloud.client().get(configuration["jwks_uri"]))["keys"]
    key = jwt.PyJWK(keys[0])
    assert jwt.get_unverified_header(token)["kid"] == keys[0]["kid"]
    claims = jwt.decode(
        token,
        key,
        ["RS256"],
        audience="http://service.test",
        issuer="https://accounts.google.com",
    )
    assert (claims["email"], claims["email_verified"]) == (EMAIL, True)
    assert local_cloud.cloud.tokens.verify_identity_token(token)["email"] == EMAIL


def test_user_gets_an_identity_token_of_their_own(local_cloud: Any, expect: Any) -> None:
    """The local route gives callers a token of theirs, and nobody else one."""
    url = "/_local/identity-token"
    expect(local_cloud.client().get(url, params={"audience": "x"}), 401)
    expect(local_cloud.deployer.get(url), 400)
    token = expect(local_cloud.deployer.get(url, params={"audience": "x"}))["token"]
    claims = local_cloud.cloud.tokens.verify_identity_token(token, audience="x")
    assert claims["email"] == "developer@local.test"
