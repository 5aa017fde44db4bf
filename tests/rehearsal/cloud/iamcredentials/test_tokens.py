"""Whose tokens are worth something, and where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jwt
import pytest

from tests.rehearsal.cloud.conftest import running

PROJECT = "/resourcemanager/v1/projects/local-proj"
ACCOUNTS = "/iam/v1/projects/local-proj/serviceAccounts"
CREDENTIALS = "/iamcredentials/v1/projects/-/serviceAccounts"
SCOPE = {"scope": ["https://www.googleapis.com/auth/cloud-platform"]}
CREATOR = "roles/iam.serviceAccountTokenCreator"
WORKER = "worker@local-proj.iam.gserviceaccount.com"


@pytest.fixture(name="worker")
def account_that_may_read(local_cloud: Any) -> Any:
    """A client of a service account that may read the project."""
    local_cloud.account("worker")
    local_cloud.grant(PROJECT, "roles/browser", f"serviceAccount:{WORKER}")
    return local_cloud.client(f"serviceAccount:{WORKER}")


def test_a_disabled_accounts_tokens_are_worth_nothing(
    local_cloud: Any, worker: Any, expect: Any
) -> None:
    """Until it is enabled again."""
    expect(worker.get(PROJECT))
    expect(local_cloud.deployer.post(f"{ACCOUNTS}/{WORKER}:disable", json={}))
    error = expect(worker.get(PROJECT), 401)["error"]
    assert error["status"] == "UNAUTHENTICATED"
    expect(local_cloud.deployer.post(f"{ACCOUNTS}/{WORKER}:enable", json={}))
    expect(worker.get(PROJECT))


def test_a_deleted_accounts_tokens_never_work_again(
    local_cloud: Any, worker: Any, expect: Any
) -> None:
    """Not for a new account of its name either, whatever that one may do."""
    identity = local_cloud.cloud.tokens.identity_token(WORKER, "http://service.test")
    expect(local_cloud.deployer.delete(f"{ACCOUNTS}/{WORKER}"))
    expect(worker.get(PROJECT), 401)
    local_cloud.account("worker")
    local_cloud.grant(PROJECT, "roles/browser", f"serviceAccount:{WORKER}")
    expect(worker.get(PROJECT), 401)
    with pytest.raises(Exception, match="gone or disabled"):
        local_cloud.cloud.tokens.verify_identity_token(identity)
    expect(local_cloud.client(f"serviceAccount:{WORKER}").get(PROJECT))


def test_tokens_are_for_one_environment(local_cloud: Any, expect: Any, tmp_path: Path) -> None:
    """Access tokens, the deployer's token and identity tokens of another cloud are forged here."""
    with running(tmp_path / "other") as other:
        other.enable("iam")
        other.account("worker")
        tokens = other.cloud.tokens
        for principal in (other.cloud.deployer, f"serviceAccount:{WORKER}"):
            foreign = local_cloud.client(token=tokens.access_token(principal))
            expect(foreign.get(PROJECT), 401)
        identity = tokens.identity_token(WORKER, "http://service.test")
        with pytest.raises(Exception, match="Invalid identity token"):
            local_cloud.cloud.tokens.verify_identity_token(identity)
        assert tokens.verify_identity_token(identity)["email"] == WORKER


def test_a_chain_of_delegates_needs_every_link(local_cloud: Any, expect: Any) -> None:
    """Each may delegate to the next one, the last one has the permission on the account."""
    emails = [local_cloud.account(name) for name in ("first-one", "second-one", "target-one")]
    url = f"{CREDENTIALS}/{emails[2]}:generateAccessToken"
    delegates = [f"projects/-/serviceAccounts/{email}" for email in emails[:2]]
    body = {**SCOPE, "delegates": delegates}
    members = [local_cloud.cloud.deployer, *(f"serviceAccount:{email}" for email in emails)]
    for giver, taker in ((2, 2), (1, 1), (0, 0)):
        expect(local_cloud.deployer.post(url, json=body), 403)
        local_cloud.grant(f"{ACCOUNTS}/{emails[taker]}", CREATOR, members[giver])
    token = expect(local_cloud.deployer.post(url, json=body))["accessToken"]
    assert local_cloud.cloud.tokens.principal_of(token) == members[3]
    # Without the chain the caller itself would have to have the permission.
    expect(local_cloud.deployer.post(url, json=SCOPE), 403)
    wrong = {**SCOPE, "delegates": [emails[0]]}
    expect(local_cloud.deployer.post(url, json=wrong), 400)
    expect(local_cloud.deployer.post(f"{ACCOUNTS}/{emails[0]}:disable", json={}))
    expect(local_cloud.deployer.post(url, json=body), 400)


def test_an_identity_token_tells_the_email_only_when_asked(local_cloud: Any, expect: Any) -> None:
    """Its subject is the account's unique id; that is enough to recognise the caller."""
    local_cloud.account("worker")
    local_cloud.grant(f"{ACCOUNTS}/{WORKER}", CREATOR, local_cloud.cloud.deployer)
    unique_id = expect(local_cloud.deployer.get(f"{ACCOUNTS}/{WORKER}"))["uniqueId"]
    for wanted in (False, True):
        body = {"audience": "http://service.test", "includeEmail": wanted}
        url = f"{CREDENTIALS}/{WORKER}:generateIdToken"
        token = expect(local_cloud.deployer.post(url, json=body))["token"]
        claims = jwt.decode(token, options={"verify_signature": False})
        assert (claims["sub"], claims["azp"]) == (unique_id, unique_id)
        assert ("email" in claims) is wanted
        assert local_cloud.cloud.tokens.verify_identity_token(token)["email"] == WORKER


def test_an_account_is_found_by_its_unique_id(local_cloud: Any, expect: Any) -> None:
    """As Google's clients may name it, also for its policy."""
    local_cloud.account("worker")
    account = expect(local_cloud.deployer.get(f"{ACCOUNTS}/{WORKER}"))
    by_id = f"/iam/v1/projects/-/serviceAccounts/{account['uniqueId']}"
    assert expect(local_cloud.deployer.get(by_id)) == account
    local_cloud.grant(by_id, CREATOR, "user:a@local.test")
    policy = expect(local_cloud.deployer.post(f"{ACCOUNTS}/{WORKER}:getIamPolicy"))
    assert policy["bindings"] == [{"role": CREATOR, "members": ["user:a@local.test"]}]
    expect(local_cloud.deployer.get("/iam/v1/projects/-/serviceAccounts/1234"), 404)


def test_keys_are_their_owners_alone(local_cloud: Any) -> None:
    """Whoever can read a key can be anybody."""
    local_cloud.cloud.tokens.jwks()
    keys: Path = local_cloud.cloud.data_dir / "keys"
    assert keys.stat().st_mode & 0o777 == 0o700
    files = list(keys.iterdir())
    assert len(files) == 2
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
