"""What is read of a key before a run; Cloud KMS is played by a server with recorded shapes."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from orchestration.targets.cloud_reads import GRANTING_ON_KEYS, KEY_PERMISSIONS, CloudReads
from orchestration.targets.prerequisite import Seen, Standing

KEY = "projects/p/locations/eu/keyRings/r/cryptoKeys/k"
Answers = dict[str, tuple[int, object]]


@pytest.fixture
def kms() -> Iterator[tuple[CloudReads, Answers]]:
    """Serve answers by path; what has none is not found."""
    answers: Answers = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answers.get(self.path.lstrip("/"), (404, {"error": {"message": "no"}}))
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    yield CloudReads({"cloudkms": address}, lambda: "token", "p"), answers
    server.shutdown()
    server.server_close()


USABLE = {"purpose": "ENCRYPT_DECRYPT", "primary": {"state": "ENABLED"}}


@pytest.mark.parametrize(
    ("answer", "standing", "said"),
    [
        ((200, USABLE), Standing.OK, "enabled primary version"),
        ((404, {}), Standing.MISSING, "does not exist"),
        ((403, {"error": {"message": "Denied"}}), Standing.UNKNOWN, "403 Denied"),
        ((200, {**USABLE, "purpose": "ASYMMETRIC_SIGN"}), Standing.MISSING, "not one for encrypt"),
        ((200, {**USABLE, "primary": {"state": "DISABLED"}}), Standing.MISSING, "no enabled"),
        ((200, {"purpose": "ENCRYPT_DECRYPT"}), Standing.MISSING, "no enabled primary"),
    ],
)
def test_a_key_must_encrypt(
    kms: tuple[CloudReads, Answers], answer: tuple[int, object], standing: Standing, said: str
) -> None:
    """What may not be seen is not taken for missing."""
    reads, answers = kms
    answers[KEY] = answer
    _is(reads.key, standing, said)


@pytest.mark.parametrize(
    ("held", "standing", "said"),
    [
        ([*KEY_PERMISSIONS, *GRANTING_ON_KEYS], Standing.OK, "all there"),
        ([*KEY_PERMISSIONS], Standing.MISSING, "cloudkms.cryptoKeys.setIamPolicy"),
        ([], Standing.MISSING, "useToDecrypt"),
    ],
)
def test_rights_on_a_key_are_to_use_it_and_to_let_the_director(
    kms: tuple[CloudReads, Answers], held: list[str], standing: Standing, said: str
) -> None:
    """Each permission that is missing is named."""
    reads, answers = kms
    answers[f"{KEY}:testIamPermissions"] = (200, {"permissions": held} if held else {})
    _is(reads.key_rights, standing, said)


def _is(look: Callable[[str], Seen], standing: Standing, said: str) -> None:
    seen = look(KEY)
    assert (seen.standing, said in seen.what) == (standing, True), seen
