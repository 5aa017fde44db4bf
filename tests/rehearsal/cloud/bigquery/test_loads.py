"""Loads of rows that come with the request, as `google-cloud-bigquery` sends them."""

from __future__ import annotations

import json
from typing import Any

UPLOAD = "/bigquery/upload/bigquery/v2/projects/local-proj/jobs"
SCHEMA = {"fields": [{"name": "id", "type": "STRING", "mode": "REQUIRED"}]}


def load(client: Any, *rows: Any, **settings: Any) -> Any:
    """Load rows into the table `shop.loaded`."""
    table = {"projectId": "local-proj", "datasetId": "shop", "tableId": "loaded"}
    config = {
        "sourceFormat": "NEWLINE_DELIMITED_JSON",
        "destinationTable": table,
        "schema": SCHEMA,
        **settings,
    }
    metadata = json.dumps({"configuration": {"load": config}})
    lines = "\n".join(json.dumps(row) for row in rows)
    body = (
        f"--b\r\ncontent-type: application/json\r\n\r\n{metadata}\r\n"
        f"--b\r\ncontent-type: */*\r\n\r\n{lines}\r\n--b--"
    )
    headers = {"Content-Type": 'multipart/related; boundary="b"'}
    return client.post(UPLOAD, params={"uploadType": "multipart"}, content=body, headers=headers)


def test_rows_are_loaded_into_a_table_that_is_made_for_them(empty: Any, expect: Any) -> None:
    """Appended, replaced, or refused where the table should have been empty."""
    job = expect(load(empty.client, {"id": "a"}, {"id": "b"}))
    assert (job["status"], job["statistics"]["load"]["outputRows"]) == ({"state": "DONE"}, "2")
    expect(load(empty.client, {"id": "c"}))
    assert empty.found("SELECT id FROM loaded ORDER BY id") == [["a"], ["b"], ["c"]]
    expect(load(empty.client, {"id": "d"}, writeDisposition="WRITE_TRUNCATE"))
    assert empty.found("SELECT id FROM loaded") == [["d"]]
    taken = expect(load(empty.client, {"id": "e"}, writeDisposition="WRITE_EMPTY"))
    assert taken["status"]["errorResult"]["reason"] == "duplicate"


def test_a_load_with_a_wrong_row_loads_nothing(empty: Any, expect: Any) -> None:
    """The job is done and tells which row; a number of wrong ones may be let pass."""
    rows = [{"id": "a"}, {"n": 1}, "text"]
    failed = expect(load(empty.client, *rows))["status"]["errorResult"]
    assert (failed["reason"], "Row: 2" in failed["message"]) == ("invalid", True)
    assert empty.found("SELECT id FROM loaded") == []
    expect(load(empty.client, *rows, maxBadRecords=2))
    assert empty.found("SELECT id FROM loaded") == [["a"]]
    for settings in ({"sourceFormat": "AVRO"}, {"schema": None, "autodetect": True}):
        table = {"projectId": "local-proj", "datasetId": "shop", "tableId": "new"}
        job = expect(load(empty.client, rows[0], destinationTable=table, **settings))
        assert "not implemented" in job["status"]["errorResult"]["message"]


def test_loading_is_a_permission_of_its_own(local_cloud: Any, empty: Any, expect: Any) -> None:
    """Who may run jobs may not thereby write."""
    member = "user:loader@local.test"
    loader = local_cloud.client(member)
    expect(load(loader, {"id": "a"}), 403)
    expect(load(local_cloud.client(), {"id": "a"}), 401)
    project = "/resourcemanager/v1/projects/local-proj"
    local_cloud.grant(project, "roles/bigquery.jobUser", member)
    denied = expect(load(loader, {"id": "a"}))["status"]["errorResult"]
    assert denied["reason"] == "accessDenied"
    local_cloud.grant(project, "roles/bigquery.dataEditor", member)
    assert "errorResult" not in expect(load(loader, {"id": "a"}))["status"]
    resumable = empty.client.post(UPLOAD, params={"uploadType": "resumable"})
    expect(resumable, 400)
