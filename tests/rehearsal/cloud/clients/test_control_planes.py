"""Google's own clients of what surrounds a system: projects, APIs, billing, borrowed tokens."""

from __future__ import annotations

from typing import Any

import jwt
import pytest
from google.cloud.billing_v1 import CloudBillingClient
from google.cloud.iam_credentials_v1 import IAMCredentialsClient
from google.cloud.resourcemanager_v3 import Project, ProjectsClient
from google.cloud.service_usage_v1 import ServiceUsageClient, State
from google_clients import PROJECT, STRANGER, Clients, refused, walk_policy

NUMBER = "projects/123456789012"
RUN = f"{PROJECT}/services/run.googleapis.com"
WORKER = "worker@local-proj.iam.gserviceaccount.com"
BORROWED = f"projects/-/serviceAccounts/{WORKER}"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"


def test_the_project(clients: Clients) -> None:
    """Read and found by id and by number, granted; no other project is told of."""
    projects = clients.rest(ProjectsClient, "resourcemanager")
    project = projects.get_project(name=PROJECT)
    assert (project.name, project.project_id) == (NUMBER, "local-proj")
    assert project.state is Project.State.ACTIVE
    assert projects.get_project(name=NUMBER) == project
    assert list(projects.search_projects(query="id:local-proj")) == [project]
    assert list(projects.search_projects(query="id:another")) == []
    walk_policy(projects, PROJECT, "resourcemanager.projects.get")
    with refused("PERMISSION_DENIED"):
        projects.get_project(name="projects/another")
    with refused("PERMISSION_DENIED", "resourcemanager.projects.get"):
        clients.rest(ProjectsClient, "resourcemanager", STRANGER).get_project(name=PROJECT)
    with refused("FAILED_PRECONDITION", r"cloudresourcemanager\.projects\.delete"):
        projects.delete_project(name=PROJECT)


def test_the_projects_of_the_first_version(clients: Clients) -> None:
    """v1, which gcloud and the provider speak, lists the one project and reads its policy."""
    projects = clients.document("cloudresourcemanager", "v1").projects()
    (listed,) = projects.list().execute()["projects"]
    assert projects.get(projectId="local-proj").execute() == listed
    assert listed["projectNumber"] == "123456789012"
    policy = projects.getIamPolicy(resource="local-proj", body={}).execute()
    assert policy["bindings"][0]["role"] == "roles/owner"


def test_apis(clients: Clients) -> None:
    """Enabled alone and together, read, listed in pages, disabled, each through its operation."""
    usage = clients.rest(ServiceUsageClient, "serviceusage")
    disabled = usage.disable_service(request={"name": RUN}).result(10).service
    assert (disabled.name, disabled.state) == (f"{NUMBER}/services/run.googleapis.com", 1)
    assert usage.get_service(request={"name": RUN}).state is State.DISABLED
    assert usage.enable_service(request={"name": RUN}).result(10).service.state is State.ENABLED
    together = {"parent": PROJECT, "service_ids": ["run.googleapis.com", "pubsub.googleapis.com"]}
    enabled = usage.batch_enable_services(request=together).result(10)
    assert [service.config.name for service in enabled.services] == together["service_ids"]
    names = [RUN, f"{PROJECT}/services/pubsub.googleapis.com"]
    read = usage.batch_get_services(request={"parent": PROJECT, "names": names}).services
    assert list(read) == list(enabled.services)
    pages = usage.list_services(
        request={"parent": PROJECT, "filter": "state:ENABLED", "page_size": 2}
    ).pages
    listed = [service for page in pages for service in page.services]
    assert enabled.services[0] in listed
    assert len(listed) == len({service.name for service in listed}) > 4
    with refused("PERMISSION_DENIED", "serviceusage.services.disable"):
        clients.rest(ServiceUsageClient, "serviceusage", STRANGER).disable_service(
            request={"name": RUN}
        )
    with refused("INVALID_ARGUMENT"):
        usage.batch_enable_services(request={"parent": PROJECT})


def test_a_disabled_api_refuses_its_calls(clients: Clients) -> None:
    """The client raises what Google's gateway answers, with the reason in its details."""
    usage = clients.rest(ServiceUsageClient, "serviceusage")
    usage.disable_service(request={"name": f"{PROJECT}/services/secretmanager.googleapis.com"})
    secrets = clients.document("secretmanager", "v1").projects().secrets()
    with refused("PERMISSION_DENIED", "SERVICE_DISABLED"):
        secrets.list(parent=PROJECT).execute()


def test_billing(clients: Clients) -> None:
    """The project is billed to an account; nothing about it can be changed."""
    billing = clients.rest(CloudBillingClient, "cloudbilling")
    info = billing.get_project_billing_info(name=PROJECT)
    assert info.billing_enabled
    assert info.billing_account_name.startswith("billingAccounts/")
    with refused("PERMISSION_DENIED"):
        clients.rest(CloudBillingClient, "cloudbilling", STRANGER).get_project_billing_info(
            name=PROJECT
        )
    with refused("FAILED_PRECONDITION", "updateBillingInfo"):
        billing.update_project_billing_info(name=PROJECT)


def test_borrowed_tokens(clients: Clients) -> None:
    """Whoever may, gets tokens of an account that work as that account's own."""
    running = clients.running
    running.enable("iamcredentials")
    running.account("worker")
    lender = clients.rest(IAMCredentialsClient, "iamcredentials")
    with refused("PERMISSION_DENIED", "iam.serviceAccounts.getAccessToken"):
        lender.generate_access_token(name=BORROWED, scope=[SCOPE])
    running.grant(
        f"/iam/v1/{PROJECT}/serviceAccounts/{WORKER}",
        "roles/iam.serviceAccountTokenCreator",
        running.cloud.deployer,
    )
    token = lender.generate_access_token(name=BORROWED, scope=[SCOPE], lifetime={"seconds": 300})
    assert running.cloud.tokens.principal_of(token.access_token) == f"serviceAccount:{WORKER}"
    identity = lender.generate_id_token(name=BORROWED, audience="https://x", include_email=True)
    claims = jwt.decode(identity.token, options={"verify_signature": False})
    assert (claims["aud"], claims["email"]) == ("https://x", WORKER)
    with refused("INVALID_ARGUMENT"):
        lender.generate_access_token(name=BORROWED, scope=[SCOPE], lifetime={"seconds": 90000})
    with refused("FAILED_PRECONDITION", "signBlob"):
        lender.sign_blob(name=BORROWED, payload=b"x")


@pytest.mark.parametrize("principal", ["", STRANGER])
def test_a_token_of_nobody_is_refused(clients: Clients, principal: str) -> None:
    """A token that this cloud did not give out names nobody, whoever it says it is."""
    running: Any = clients.running
    foreign = running.client(token=f"ya29.{principal}")
    answer = foreign.get(f"/resourcemanager/v3/{PROJECT}")
    assert (answer.status_code, answer.json()["error"]["status"]) == (401, "UNAUTHENTICATED")
