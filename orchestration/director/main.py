"""The director as a Cloud Run service: wiring, health routes, a clean exit on SIGTERM."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import structlog
import yaml

from orchestration.automation.engines import DeferredPulumi, EngineName, choose_engine
from orchestration.automation.plugins import plugins_folder
from orchestration.automation.stack_records import StackHome
from orchestration.automation.stacks import StackOperations
from orchestration.director.bucket_ledger import BucketLedger
from orchestration.director.ledger import FolderLedger, Ledger
from orchestration.director.provisioning import StackProvisioner
from orchestration.director.pulling import CommandPull
from orchestration.director.service import DirectorService, Identity
from orchestration.director.startup import StartUp, start_up_checks, topic_checks
from orchestration.environments import Environment
from orchestration.errors import CloudUnreachable, ConductorError, UsageError
from orchestration.settings import Settings

log = structlog.get_logger(__name__)

PUBLISH_TIMEOUT_S = 30.0
SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)


def main() -> int:
    """Serve until SIGTERM; give the exit code."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.processors.EventRenamer("message"),
            structlog.processors.JSONRenderer(),
        ]
    )
    try:
        return _serve(os.environ)
    except ConductorError as error:
        log.error("director_not_started", code=error.code, why=error.message)  # noqa: TRY400 - ours
        return error.exit_code


def _serve(environ: Mapping[str, str]) -> int:
    # The port opens first: Cloud Run waits for it, and Pub/Sub's client takes a while to import.
    health = _Health()
    # Loopback, unless told otherwise: an image's Dockerfile sets HOST to all addresses.
    host, port = environ.get("HOST", "127.0.0.1"), _port(environ)
    try:
        server = ThreadingHTTPServer((host, port), _handler(health))
    except OSError as error:
        raise UsageError(f"{host}:{port} cannot be served: {error}") from error
    serving = threading.Thread(target=server.serve_forever, name="health", daemon=True)
    serving.start()
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    pull, startup = _commands(environ)
    health.pull, health.startup = pull, startup
    startup.start()
    pull.start()
    stopped.wait()
    startup.stop()
    is_finished = pull.stop()
    server.shutdown()
    log.info("director_stopped", is_finished=is_finished)
    if not is_finished:
        # Python would wait for the threads of unfinished commands for as long as these take.
        sys.stdout.flush()
        os._exit(0)
    return 0


def _port(environ: Mapping[str, str]) -> int:
    given = environ.get("PORT", "8080")
    if not given.isdecimal():
        raise UsageError(f"PORT must be a number, not {given!r}")
    return int(given)


def _commands(environ: Mapping[str, str]) -> tuple[CommandPull, StartUp]:
    """Wire everything between Pub/Sub and the stacks, and what makes sure that it works."""
    from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient  # noqa: PLC0415 - slow

    settings = Settings.from_environment()
    name = _required(environ, "CONDUCTOR_ENVIRONMENT")
    environment = Environment(name, settings)
    project = environ.get("PROJECT_ID") or _required(environ, "GOOGLE_CLOUD_PROJECT")
    links = _links(Path(environ.get("RESOURCES_FILE", "resources.yaml")))
    engine = EngineName(environ.get("CONDUCTOR_ENGINE", EngineName.AUTO.value))
    is_real = engine is EngineName.PULUMI
    operations = StackOperations(
        _home(environ, environment, is_real=is_real),
        # Whether the real one is there is the start-up check's to say.
        DeferredPulumi() if is_real else choose_engine(engine),
        _own_credentials,
    )
    publisher = PublisherClient()
    topic = publisher.topic_path(project, links["completion_topic"])

    def publish(data: bytes, attributes: dict[str, str]) -> None:
        publisher.publish(topic, data, **attributes).result(timeout=PUBLISH_TIMEOUT_S)

    service = DirectorService(
        Identity(name=environ.get("K_REVISION", "by-hand"), environment=name),
        StackProvisioner(
            operations.bound_to(environment.plans_dir),
            name,
            architecture_file=environment.architecture_file,
            project_dir=settings.project_dir,
        ),
        _ledger(_required(environ, "CONDUCTOR_LEDGER")),
        publish,
    )
    subscriber = SubscriberClient()
    subscription = subscriber.subscription_path(project, links["command_subscription"])
    startup = StartUp(
        start_up_checks(
            environ,
            engine,
            _own_token,
            topic_checks(subscriber, subscription, publisher, topic),
        )
    )
    return CommandPull(subscriber, subscription, service), startup


def _home(environ: Mapping[str, str], environment: Environment, *, is_real: bool) -> StackHome:
    """Say where the stacks live: in this machine's folders, or behind a bucket and a key."""
    provider = environ.get("CONDUCTOR_SECRETS_PROVIDER", "")
    return StackHome(
        project_dir=environment.settings.project_dir,
        backend_url=_required(environ, "PULUMI_BACKEND_URL"),
        passphrase_file=(
            None if provider else Path(_required(environ, "PULUMI_CONFIG_PASSPHRASE_FILE"))
        ),
        pulumi_home=_writable_home(environ) if is_real else environment.pulumi_home,
        secrets_provider=provider,
    )


def _writable_home(environ: Mapping[str, str]) -> Path:
    """Make a home for the engine to write to, with the plugins of its image in it."""
    home = Path(tempfile.mkdtemp(prefix="pulumi-home-"))
    (home / "plugins").symlink_to(plugins_folder(environ))
    return home


def _ledger(location: str) -> Ledger:
    if location.startswith("gs://"):
        return BucketLedger(location, _own_token)
    return FolderLedger(Path(location))


def _own_token() -> str:
    return _own_credentials()["GOOGLE_OAUTH_ACCESS_TOKEN"]


def _own_credentials() -> dict[str, str]:
    """Give the service account's own token, from the metadata server."""
    import google.auth  # noqa: PLC0415 - slow
    import google.auth.exceptions  # noqa: PLC0415
    import google.auth.transport.requests  # noqa: PLC0415

    try:
        credentials, _ = google.auth.default(scopes=SCOPES)
        credentials.refresh(google.auth.transport.requests.Request())  # type: ignore[no-untyped-call] # google-auth has no types
    except google.auth.exceptions.GoogleAuthError as error:
        raise CloudUnreachable(f"the director gets no access token: {error}") from error
    return {"GOOGLE_OAUTH_ACCESS_TOKEN": str(credentials.token)}


def _links(path: Path) -> dict[str, str]:
    """Read the command subscription and the completion topic from `resources.yaml`.

    Raises:
        UsageError: the file does not name exactly one of each.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise UsageError(f"{path} is not a mapping of resources")
    found = {}
    for link, kind in (("command_subscription", "subscriptions"), ("completion_topic", "topics")):
        listed = content.get(kind) or []
        if len(listed) != 1:
            raise UsageError(f"{path} must have exactly one entry in {kind}, not {len(listed)}")
        found[link] = str(listed[0]["name"])
    return found


def _required(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name)
    if not value:
        raise UsageError(f"set {name}")
    return value


class _Health:
    """Whether commands can arrive."""

    def __init__(self) -> None:
        self.pull: CommandPull | None = None
        self.startup: StartUp | None = None

    @property
    def not_ready_because(self) -> str:
        """Say why no command can be worked off; empty while they can."""
        if self.pull is None or self.startup is None:
            return "it is starting"
        if why := self.pull.not_pulling_because:
            return f"not pulling: {why}"
        if why := self.startup.not_ready_because:
            return f"start-up check: {why}"
        return ""


def _handler(health: _Health) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """`GET /health/live` and `GET /health/ready`."""

        def do_GET(self) -> None:
            """Answer with a line of text."""
            if self.path == "/health/live":
                self._answer(HTTPStatus.OK, "alive")
            elif self.path == "/health/ready":
                why = health.not_ready_because
                if why:
                    self._answer(HTTPStatus.SERVICE_UNAVAILABLE, why)
                else:
                    self._answer(HTTPStatus.OK, "ready")
            else:
                self._answer(HTTPStatus.NOT_FOUND, "there are /health/live and /health/ready")

        def _answer(self, status: HTTPStatus, text: str) -> None:
            data = f"{text}\n".encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            """Keep health checks out of the log."""

    return Handler


if __name__ == "__main__":
    sys.exit(main())
