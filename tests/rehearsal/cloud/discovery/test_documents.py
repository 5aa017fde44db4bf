"""The vendored discovery documents and the checks made with them."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from google.api.launch_stage_pb2 import LaunchStage
from google.cloud.artifactregistry_v1.types import Repository
from google.cloud.firestore_admin_v1.types import Database

from rehearsal.cloud.discovery.checking import checked_body, checked_query
from rehearsal.cloud.discovery.documents import DOCUMENTS, FOLDER, Method, Routes
from rehearsal.cloud.errors import ApiError

ROUTES = Routes()


def _method(http_method: str, path: str) -> Method:
    found = ROUTES.find(http_method, path)
    assert found is not None, path
    return found[0]


def test_every_document_is_there_and_tells_its_revision() -> None:
    """Each vendored document has a revision and methods."""
    assert {api.name for api in ROUTES.apis} == {name.partition(".")[0] for name in DOCUMENTS}
    assert all(api.revision.isdigit() and api.methods for api in ROUTES.apis)
    assert "Apache License" in (FOLDER / "NOTICE").read_text()


def test_loading_is_fast() -> None:
    """All documents load in a fraction of the time that a start may take."""
    begins_at = time.process_time()
    Routes()
    assert time.process_time() - begins_at < 0.5


@pytest.mark.parametrize(
    ("http_method", "path", "method_id", "params"),
    [
        (
            "GET",
            "/run/v2/projects/p/locations/l/services/w:getIamPolicy",
            "run.projects.locations.services.getIamPolicy",
            {"resource": "projects/p/locations/l/services/w"},
        ),
        (
            "GET",
            "/bigquery/bigquery/v2/projects/p/datasets/d/tables/t",
            "bigquery.tables.get",
            {"projectId": "p", "datasetId": "d", "tableId": "t"},
        ),
        (
            "POST",
            "/bigquery/bigquery/v2/projects/p/datasets/d/tables/t:getIamPolicy",
            "bigquery.tables.getIamPolicy",
            {"resource": "projects/p/datasets/d/tables/t"},
        ),
        (
            "GET",
            "/storage/storage/v1/b/data/o/a%2Fb:c",
            "storage.objects.get",
            {"bucket": "data", "object": "a/b:c"},
        ),
        (
            "GET",
            "/storage/storage/v1/b/data/anywhereCaches/",
            "storage.anywhereCaches.list",
            {"bucket": "data"},
        ),
        (
            "GET",
            "/serviceusage/v1beta1/operations/acf.p2-1-x",
            "serviceusage.operations.get",
            {"name": "operations/acf.p2-1-x"},
        ),
        (
            "GET",
            "/secretmanager/v1/projects/p/secrets/s/versions/1:access",
            "secretmanager.projects.secrets.versions.access",
            {"name": "projects/p/secrets/s/versions/1"},
        ),
    ],
)
def test_path_leads_to_its_method(
    http_method: str, path: str, method_id: str, params: dict[str, str]
) -> None:
    """Literal segments win over names, verbs are no part of names, encoding ends at a segment."""
    found = ROUTES.find(http_method, path)
    assert found is not None
    assert (found[0].id, found[1]) == (method_id, params)


def test_every_recorded_call_of_the_provider_is_routed_and_accepted() -> None:
    """What the official provider sends passes the checks."""
    folder = os.environ.get("CONDUCTOR_SHARED_TESTDATA")
    if not folder:
        pytest.skip("CONDUCTOR_SHARED_TESTDATA does not name the folder of recorded calls")
    for line in (Path(folder) / "provider-calls.jsonl").read_text().splitlines():
        call = json.loads(line)
        method = _method(call["method"], call["path"])
        assert method.id == call["method_id"]
        checked_query(method, call["query"])
        checked_body(method, call["body"] or {})


def test_older_names_and_forms_are_understood() -> None:
    """Proto names, enums as numbers, int64 as numbers and fields in the query are accepted."""
    create = _method("POST", "/artifactregistry/v1/projects/p/locations/l/repositories")
    assert checked_query(create, {"repository_id": "x", "$alt": "json"})["repositoryId"] == "x"
    assert checked_body(create, {"format": 1})["format"] == "DOCKER"
    patch = _method("PATCH", "/pubsub/v1/projects/p/topics/t")
    assert checked_query(patch, {"updateMask": "labels"}) == {"updateMask": "labels"}
    run = _method("POST", "/run/v2/projects/p/locations/l/services")
    body = {"template": {"max_instance_request_concurrency": 3, "scaling": None}, "uid": "mine"}
    assert checked_body(run, body) == {"template": {"maxInstanceRequestConcurrency": 3}}
    with pytest.raises(ApiError, match=r"Invalid value at 'service\.template\.timeout'"):
        checked_body(run, {"template": {"timeout": True}})
    with pytest.raises(ApiError, match=r"Invalid value at 'service\.template\.containers'"):
        checked_body(run, {"template": {"containers": {}}})
    with pytest.raises(ApiError, match=r"Invalid value at 'service\.ingress'"):
        checked_body(run, {"ingress": "INGRESS_TRAFFIC_SOME"})


def test_storage_and_bigquery_ignore_what_they_do_not_know() -> None:
    """The older APIs keep nulls, and drop unknown fields without a word."""
    patch = _method("PATCH", "/storage/storage/v1/b/data")
    assert checked_body(patch, {"labels": None, "unknown": 1}) == {"labels": None}
    insert = _method("POST", "/storage/storage/v1/b")
    with pytest.raises(ApiError, match="Required parameter: project"):
        checked_query(insert, {})


def test_enums_have_the_numbers_of_googles_clients() -> None:
    """Generated clients send numbers; some enums are not numbered in the document's order."""
    create = _method("POST", "/artifactregistry/v1/projects/p/locations/l/repositories")
    for form in list(Repository.Format)[1:]:
        assert checked_body(create, {"format": int(form)}) == {"format": form.name}
    run = _method("POST", "/run/v2/projects/p/locations/l/services")
    for name, number in LaunchStage.items()[1:]:
        assert checked_body(run, {"launchStage": number}) == {"launchStage": name}
    database = _method("POST", "/firestore/v1/projects/p/databases")
    for kind in list(Database.DatabaseType)[1:]:
        assert checked_body(database, {"type": int(kind)}) == {"type": kind.name}
    role = _method("POST", "/iam/v1/projects/p/roles")
    assert checked_body(role, {"role": {"stage": 5}}) == {"role": {"stage": "DISABLED"}}
    roles = _method("GET", "/iam/v1/projects/p/roles")
    assert checked_query(roles, {"view": "1"}) == {"view": "FULL"}
    for wrong in (4, 99, -1, True, "4", 2**70):
        with pytest.raises(ApiError, match=r"Invalid value at 'repository\.format' \(TYPE_ENUM\)"):
            checked_body(create, {"format": wrong})
