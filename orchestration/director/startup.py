"""The director's start-up check: what it needs is tried once each, until all of it has worked.

Its grants may take minutes to work, so nothing here is final: what fails is said in one line, and
tried again. Until all has passed `/health/ready` answers 503, and Cloud Run's start-up probe waits.
"""

from __future__ import annotations

import base64
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import structlog

from orchestration.automation.engines import EngineName, require_pulumi
from orchestration.automation.plugins import (
    Plugin,
    absent_plugins,
    plugins_folder,
    required_plugins,
)
from orchestration.errors import ConductorError
from orchestration.google_errors import gist_of
from orchestration.tls import trusted_certificates

if TYPE_CHECKING:
    from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient

log = structlog.get_logger(__name__)

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 5.0
CALL_TIMEOUT_S = 10.0
KMS = "https://cloudkms.googleapis.com/v1"
STORAGE = "https://storage.googleapis.com/storage/v1"
# Encrypted and decrypted to try the key; it says nothing.
TRIAL = b"start-up check"


@dataclass(frozen=True, slots=True)
class StartUpCheck:
    """One thing that the director needs; `look` says what is wrong, nothing if it works."""

    subject: str
    look: Callable[[], str]


class StartUp:
    """Tries checks in the background until each has passed once."""

    def __init__(self, checks: Sequence[StartUpCheck]) -> None:
        self._left: dict[str, str] = {check.subject: "not tried yet" for check in checks}
        self._checks = tuple(checks)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="start-up", daemon=True)

    @property
    def not_ready_because(self) -> str:
        """What has not worked yet, each with its reason; empty once all has."""
        return "; ".join(f"{subject}: {why}" for subject, why in dict(self._left).items())

    def start(self) -> None:
        """Start trying."""
        self._thread.start()

    def stop(self) -> None:
        """Try no more."""
        self._stopping.set()

    def _run(self) -> None:
        pause = FIRST_PAUSE_S
        while not self._stopping.is_set():
            for check in self._checks:
                if check.subject in self._left:
                    self._try(check)
            if not self._left:
                log.info("start_up_checked", passed=len(self._checks))
                return
            self._stopping.wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)

    def _try(self, check: StartUpCheck) -> None:
        try:
            why = check.look()
        except ConductorError as error:
            why = error.message
        except Exception as error:  # noqa: BLE001 - whatever it was, it is the reason
            why = (str(error) or repr(error)).splitlines()[0]
        if not why:
            self._left = {key: held for key, held in self._left.items() if key != check.subject}
        elif self._left[check.subject] != why:
            # One line for each new reason: a grant that takes minutes fills no log.
            log.warning("start_up_check_failed", check=check.subject, why=why)
            self._left = {**self._left, check.subject: why}


def start_up_checks(
    environ: Mapping[str, str],
    engine: EngineName,
    access_token: Callable[[], str],
    topics: Iterable[StartUpCheck],
) -> tuple[StartUpCheck, ...]:
    """Give the checks of a director with these variables."""
    return (
        *_engine(environ, engine),
        _state(environ.get("PULUMI_BACKEND_URL", ""), access_token),
        _secrets(environ, access_token),
        *topics,
    )


def topic_checks(
    subscriber: SubscriberClient, subscription: str, publisher: PublisherClient, topic: str
) -> Iterator[StartUpCheck]:
    """Yield whether commands can be pulled and completions published."""

    def commands() -> str:
        subscriber.get_subscription(subscription=subscription, retry=None, timeout=CALL_TIMEOUT_S)
        return ""

    def command_topic() -> str:
        # A subscription outlives its topic, and then nothing ever arrives.
        held = subscriber.get_subscription(
            subscription=subscription, retry=None, timeout=CALL_TIMEOUT_S
        )
        publisher.get_topic(topic=held.topic, retry=None, timeout=CALL_TIMEOUT_S)
        return ""

    def completions() -> str:
        publisher.get_topic(topic=topic, retry=None, timeout=CALL_TIMEOUT_S)
        return ""

    yield StartUpCheck("command subscription", commands)
    yield StartUpCheck("command topic", command_topic)
    yield StartUpCheck("completion topic", completions)


def _engine(environ: Mapping[str, str], engine: EngineName) -> Iterator[StartUpCheck]:
    """Yield the real engine and its plugins; the embedded one is part of this program."""
    if engine is not EngineName.PULUMI:
        return

    def found() -> str:
        require_pulumi()
        return ""

    def plugin(wanted: Plugin) -> str:
        if wanted in absent_plugins(environ):
            return f"{wanted.folder_name} is not in {plugins_folder(environ)}"
        return ""

    yield StartUpCheck("engine", found)
    for wanted in required_plugins():
        yield StartUpCheck(f"plugin {wanted.name}", partial(plugin, wanted))


def _state(backend_url: str, access_token: Callable[[], str]) -> StartUpCheck:
    """Give whether the stacks' state can be read: a bucket's objects, or a folder."""
    parts = urlsplit(backend_url)

    def bucket() -> str:
        answer = httpx.get(
            f"{STORAGE}/b/{parts.netloc}/o",
            params={"maxResults": "1"},
            headers={"Authorization": f"Bearer {access_token()}"},
            timeout=CALL_TIMEOUT_S,
            verify=trusted_certificates(),
        )
        return "" if answer.is_success else f"gs://{parts.netloc} answers {gist_of(answer)}"

    def folder() -> str:
        path = Path(parts.path)
        if not path.is_dir():
            return f"{path} is no folder"
        return "" if os.access(path, os.R_OK | os.W_OK) else f"{path} cannot be written to"

    return StartUpCheck("state", bucket if parts.scheme == "gs" else folder)


def _secrets(environ: Mapping[str, str], access_token: Callable[[], str]) -> StartUpCheck:
    """Give whether the stacks' secrets can be read: with a key of Cloud KMS, or a passphrase."""
    provider = environ.get("CONDUCTOR_SECRETS_PROVIDER", "")

    def key() -> str:
        url = f"{KMS}/{provider.removeprefix('gcpkms://')}"
        headers = {"Authorization": f"Bearer {access_token()}"}
        trial = {"plaintext": base64.b64encode(TRIAL).decode()}
        encrypted = httpx.post(
            f"{url}:encrypt",
            json=trial,
            headers=headers,
            timeout=CALL_TIMEOUT_S,
            verify=trusted_certificates(),
        )
        if not encrypted.is_success:
            return f"{provider} encrypts nothing: {gist_of(encrypted)}"
        sealed = {"ciphertext": encrypted.json()["ciphertext"]}
        decrypted = httpx.post(
            f"{url}:decrypt",
            json=sealed,
            headers=headers,
            timeout=CALL_TIMEOUT_S,
            verify=trusted_certificates(),
        )
        if not decrypted.is_success:
            return f"{provider} decrypts nothing: {gist_of(decrypted)}"
        same = decrypted.json().get("plaintext") == trial["plaintext"]
        return "" if same else f"{provider} gives back something else than it was given"

    def passphrase() -> str:
        path = Path(environ.get("PULUMI_CONFIG_PASSPHRASE_FILE", ""))
        return "" if os.access(path, os.R_OK) and path.is_file() else f"{path} cannot be read"

    return StartUpCheck("secrets", key if provider else passphrase)
