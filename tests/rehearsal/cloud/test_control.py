"""Starting, finding and stopping a local cloud in a process of its own."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from rehearsal.cloud import control
from rehearsal.cloud.info import CloudInfo

PROJECT = "local-proj"


@pytest.fixture(name="data_dir")
def data_dir_that_is_stopped(tmp_path: Path) -> Iterator[Path]:
    """A folder whose cloud does not outlive the test."""
    yield tmp_path / "cloud"
    control.stop(tmp_path / "cloud")


def _start(data_dir: Path) -> CloudInfo:
    return control.start(data_dir, project_id=PROJECT, propagation="none")


def _create_account(info: CloudInfo, account_id: str) -> httpx.Response:
    return httpx.post(
        f"http://127.0.0.1:{info.port}/iam/v1/projects/{PROJECT}/serviceAccounts",
        json={"accountId": account_id},
        headers={"Authorization": f"Bearer {info.deployer_token}"},
        trust_env=False,
    )


def _enable_iam(info: CloudInfo) -> None:
    base = f"http://127.0.0.1:{info.port}/serviceusage/v1/projects/{PROJECT}"
    answer = httpx.post(
        f"{base}/services/iam.googleapis.com:enable",
        headers={"Authorization": f"Bearer {info.deployer_token}"},
        trust_env=False,
    )
    assert answer.status_code == 200, answer.text


def test_cloud_starts_once_and_stops(data_dir: Path) -> None:
    """Start is idempotent, status tells what start told, stop ends it and says so once."""
    assert control.status(data_dir) is None
    assert control.stop(data_dir) is False
    info = _start(data_dir)
    assert _start(data_dir) == info == control.status(data_dir)
    assert (data_dir / "cloud.json").stat().st_mode & 0o777 == 0o600
    health = httpx.get(f"http://127.0.0.1:{info.port}/_local/health", trust_env=False)
    assert health.json()["status"] == "ok"
    with pytest.raises(control.CloudError, match="serves project local-proj"):
        control.start(data_dir, project_id="another-project")
    assert control.stop(data_dir) is True
    assert control.status(data_dir) is None
    assert control.stop(data_dir) is False
    with pytest.raises(ProcessLookupError):
        os.kill(info.pid, 0)


def test_restart_after_a_kill_keeps_ports_and_state(data_dir: Path) -> None:
    """A killed server loses no write that it acknowledged; ports and token stay."""
    info = _start(data_dir)
    _enable_iam(info)
    assert _create_account(info, "worker").status_code == 200
    os.kill(info.pid, signal.SIGKILL)
    os.waitpid(info.pid, 0)
    assert control.status(data_dir) is None
    again = _start(data_dir)
    assert (again.port, again.pubsub_port) == (info.port, info.pubsub_port)
    assert again.deployer_token == info.deployer_token
    assert _create_account(again, "worker").status_code == 409


def test_kill_in_the_middle_loses_nothing_acknowledged(data_dir: Path) -> None:
    """Whatever was answered before the kill is there after the restart."""
    info = _start(data_dir)
    _enable_iam(info)
    acknowledged: list[str] = []
    enough = threading.Event()

    def create_until_it_dies() -> None:
        for number in itertools.count():
            try:
                answer = _create_account(info, f"worker-{number}")
            except httpx.HTTPError:
                return
            acknowledged.append(answer.json()["name"])
            if number == 20:
                enough.set()

    writer = threading.Thread(target=create_until_it_dies)
    writer.start()
    assert enough.wait(30)
    os.kill(info.pid, signal.SIGKILL)
    os.waitpid(info.pid, 0)
    writer.join()
    again = _start(data_dir)
    base = f"http://127.0.0.1:{again.port}/iam/v1"
    headers = {"Authorization": f"Bearer {again.deployer_token}"}
    with httpx.Client(headers=headers, trust_env=False) as client:
        lost = [name for name in acknowledged if not client.get(f"{base}/{name}").is_success]
    assert not lost


def test_two_starts_at_once_start_one_server(data_dir: Path) -> None:
    """The second waits for the first and finds its server."""
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(_start, [data_dir, data_dir])
    assert first == second


def test_taken_port_is_named(data_dir: Path) -> None:
    """A foreign process on a recorded port is a clear error, not another port."""
    info = _start(data_dir)
    control.stop(data_dir)
    for port in (info.port, info.pubsub_port):
        with socket.socket() as foreign:
            foreign.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            foreign.bind(("127.0.0.1", port))
            foreign.listen()
            with pytest.raises(control.PortTaken, match=str(port)) as caught:
                _start(data_dir)
            assert caught.value.port == port
    assert _start(data_dir).port == info.port


def test_server_that_cannot_start_says_why(data_dir: Path) -> None:
    """The last line of the server's log becomes the error."""
    _start(data_dir)
    control.stop(data_dir)
    with pytest.raises(control.CloudError, match="belongs to project local-proj"):
        control.start(data_dir, project_id="another-project")


def test_another_propagation_is_taken_up_and_kept(data_dir: Path) -> None:
    """A start says how grants are delayed from now on; one that says nothing changes nothing."""
    info = control.start(data_dir, project_id=PROJECT, propagation="none")
    _enable_iam(info)
    policies = f"http://127.0.0.1:{info.port}/resourcemanager/v1/projects/{PROJECT}"
    headers = {"Authorization": f"Bearer {info.deployer_token}"}

    def is_delayed(role: str) -> bool:
        with httpx.Client(headers=headers, trust_env=False) as client:
            policy = client.post(f"{policies}:getIamPolicy").json()
            granted = {"role": role, "members": ["user:developer@local.test"]}
            body = {"policy": policy | {"bindings": [*policy["bindings"], granted]}}
            assert client.post(f"{policies}:setIamPolicy", json=body).is_success
            asked = {"permissions": ["iam.serviceAccounts.getOpenIdToken"]}
            return client.post(f"{policies}:testIamPermissions", json=asked).json() == {}

    creator = "roles/iam.serviceAccountOpenIdTokenCreator"
    assert control.start(data_dir, project_id=PROJECT, propagation="realistic") == info
    control.start(data_dir, project_id=PROJECT)
    assert is_delayed(creator)
    control.stop(data_dir)
    assert control.start(data_dir, project_id=PROJECT).port == info.port
    assert is_delayed("roles/iam.workloadIdentityUser")
    control.start(data_dir, project_id=PROJECT, propagation="none")
    assert not is_delayed("roles/iam.serviceAccountTokenCreator")
    with pytest.raises(control.CloudError, match="refuses the propagation 'slow'"):
        control.start(data_dir, project_id=PROJECT, propagation="slow")
