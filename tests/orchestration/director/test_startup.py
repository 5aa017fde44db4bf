"""The director's start-up check tries everything it needs, and says each failure in one line."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
import structlog

from orchestration.automation.engines import EngineName
from orchestration.automation.plugins import required_plugins
from orchestration.director import startup
from orchestration.director.startup import StartUp, StartUpCheck, start_up_checks, topic_checks
from orchestration.errors import CloudUnreachable
from orchestration.targets.local import LocalTarget

KEY = "gcpkms://projects/p/locations/eu/keyRings/r/cryptoKeys/k"


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait for a condition."""
    waiting = threading.Event()
    for _ in range(500):
        if is_so():
            return
        waiting.wait(0.02)
    pytest.fail("it never came to be")


def looks(checks: tuple[StartUpCheck, ...]) -> dict[str, str]:
    """Look once at everything."""
    return {check.subject: check.look() for check in checks}


def token() -> str:
    """Give a token that nobody looks at."""
    return "token"


@pytest.fixture
def kms(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Serve a key that seals by reversing; `refused` verbs are denied."""
    refused: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            verb = self.path.rpartition(":")[2]
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if verb in refused:
                self.answer(403, {"error": {"message": f"Permission denied to {verb}"}})
            elif verb == "encrypt":
                self.answer(200, {"ciphertext": body["plaintext"][::-1]})
            else:
                self.answer(200, {"plaintext": body["ciphertext"][::-1]})

        def answer(self, status: int, body: object) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setattr(startup, "KMS", address)
    yield refused
    server.shutdown()
    server.server_close()


def test_on_google_engine_plugins_state_and_key_are_tried(
    target: LocalTarget, kms: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is missing has its own reason; what is there has none."""
    storage = f"{target.base_url}/storage/storage/v1"
    monkeypatch.setattr(startup, "STORAGE", storage)
    monkeypatch.setenv("PATH", str(tmp_path))
    environ = {
        "PULUMI_HOME": str(tmp_path),
        "PULUMI_BACKEND_URL": "gs://start-up-state",
        "CONDUCTOR_SECRETS_PROVIDER": KEY,
    }

    def tried() -> dict[str, str]:
        return looks(start_up_checks(environ, EngineName.PULUMI, target.access_token, ()))

    kms.append("decrypt")
    checks = start_up_checks(environ, EngineName.PULUMI, target.access_token, ())
    assert [check.subject for check in checks] == [
        "engine",
        "plugin docker",
        "plugin gcp",
        "state",
        "secrets",
    ]
    with pytest.raises(Exception, match="no `pulumi` on PATH"):
        checks[0].look()
    before = looks(checks[1:])
    assert "resource-gcp-v" in before["plugin gcp"]
    assert before["state"].startswith("gs://start-up-state answers 404")
    assert before["secrets"] == f"{KEY} decrypts nothing: 403 Permission denied to decrypt"

    kms.clear()
    for plugin in required_plugins():
        (tmp_path / "plugins" / plugin.folder_name).mkdir(parents=True)
    httpx.post(
        f"{storage}/b",
        params={"project": target.project_id},
        json={"name": "start-up-state"},
        headers={"Authorization": f"Bearer {target.access_token()}"},
    ).raise_for_status()
    (tmp_path / "pulumi").write_text("#!/bin/sh\necho v3.272.0\n")
    (tmp_path / "pulumi").chmod(0o755)
    assert set(tried().values()) == {""}


def test_on_one_machine_folder_and_passphrase_are_tried(tmp_path: Path) -> None:
    """The embedded engine is part of the program, and its providers are, too."""
    passphrase = tmp_path / "passphrase"
    environ = {
        "PULUMI_BACKEND_URL": f"file://{tmp_path / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(passphrase),
    }

    def tried() -> dict[str, str]:
        return looks(start_up_checks(environ, EngineName.AUTO, token, ()))

    assert tried() == {
        "state": f"{tmp_path / 'state'} is no folder",
        "secrets": f"{passphrase} cannot be read",
    }
    (tmp_path / "state").mkdir()
    passphrase.write_text("x")
    assert tried() == {"state": "", "secrets": ""}


def test_topics_are_looked_at(target: LocalTarget, links: dict[str, str]) -> None:
    """With the director's own rights; another topic's absence is Google's own words."""
    subscriber, publisher = target.subscriber(), target.publisher()
    with subscriber:
        absent = f"projects/{target.project_id}/topics/absent-topic"
        checks = tuple(topic_checks(subscriber, links["subscription"], publisher, absent))
        assert [check.look() for check in checks[:2]] == ["", ""]
        with pytest.raises(Exception, match="absent-topic"):
            checks[2].look()
        # A subscription outlives its topic, and nothing arrives any more.
        publisher.delete_topic(topic=links["commands"])
        assert checks[0].look() == ""
        with pytest.raises(Exception, match="deleted-topic"):
            checks[1].look()
    publisher.stop()


def test_ready_once_each_has_worked_and_every_new_reason_is_one_line() -> None:
    """A grant that takes minutes fills no log; a broken check is a reason, not an end."""
    answers = {"first": ["no grant", "no grant", "no policy", ""], "second": ["", ""]}
    is_open = threading.Event()

    def failing() -> str:
        if not is_open.is_set():
            raise CloudUnreachable("nobody answers")
        return ""

    def look(subject: str) -> str:
        return answers[subject].pop(0)

    tried = StartUp(
        [
            StartUpCheck("first", lambda: look("first")),
            StartUpCheck("second", lambda: look("second")),
            StartUpCheck("third", failing),
        ]
    )
    assert tried.not_ready_because.startswith("first: not tried yet; second:")
    with structlog.testing.capture_logs() as logged:
        tried.start()
        wait_until(lambda: tried.not_ready_because == "third: nobody answers")
        is_open.set()
        wait_until(lambda: tried.not_ready_because == "")
        wait_until(lambda: logged[-1]["event"] == "start_up_checked")
    assert answers["second"] == [""]
    failures = [(line["check"], line["why"]) for line in logged if "check" in line]
    assert failures == [("first", "no grant"), ("third", "nobody answers"), ("first", "no policy")]
    tried.stop()
