"""What the local cloud tells about services: `/_local/services`, `…/addresses`, `…/logs/<service>`.

`rehearsal.cloud.local_routes` asks here.
"""

import re
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict

from aiohttp import web

from rehearsal.cloud.errors import invalid_argument, not_found
from rehearsal.cloud.local_cloud import LocalCloud
from rehearsal.cloud.run.controller import RunController
from rehearsal.cloud.run.logs import RevisionLog
from rehearsal.cloud.run.state import controller_of

_SERVICES_PATH = "/_local/services"
# On Google a service's address follows from its name, its place and the project: all can know it.
_ADDRESSES_PATH = "/_local/addresses"
_LOGS_PATH = "/_local/logs/"
_MOST_LINES = 1000
_NAME = re.compile(r"[a-z0-9-]*")


def answer(cloud: LocalCloud, path: str, query: Mapping[str, str]) -> web.Response:
    """Answer a request for one of the paths above.

    Of a log, `revision` and `instance` choose the lines (by default those of the latest revision),
    `lines` how many of the last; `format=json` tells of each when and by which instance it was
    written.

    Raises:
        ApiError: 404; no such service or revision, or nothing of it was ever started.
    """
    controller = controller_of(cloud)
    if path == _SERVICES_PATH:
        return web.json_response({"services": controller.running()})
    if path == _ADDRESSES_PATH:
        addresses = {service["name"]: service["uri"] for service in controller.running()}
        return web.json_response({"addresses": addresses})
    service = path.removeprefix(_LOGS_PATH)
    names = service, query.get("revision", ""), query.get("instance", "")
    if not all(_NAME.fullmatch(name) for name in names):
        raise not_found(f"No revision of a service {service!r} was ever started.")
    most = query.get("lines", str(_MOST_LINES))
    if not most.isdecimal():
        raise invalid_argument(f"lines: {most!r} is not a number.")
    log = _log_of(controller, service, query.get("revision", ""))
    lines = deque(log.lines(query.get("instance", "")), maxlen=int(most))
    if query.get("format") == "json":
        revision = log.path.stem
        return web.json_response(
            {"lines": [asdict(line) | {"revision": revision} for line in lines]}
        )
    return web.Response(text="".join(f"{line.text}\n" for line in lines))


def _log_of(controller: RunController, service_id: str, revision: str) -> RevisionLog:
    if revision:
        log = controller.logs.find(service_id, revision)
        if log is None:
            raise not_found(f"No instance of a revision {revision!r} was ever started.")
        return log
    for service in controller.services.all():
        latest = service.get("latestCreatedRevision")
        if latest and service["name"].rsplit("/", 1)[-1] == service_id:
            log = controller.logs.find(service_id, latest.rsplit("/", 1)[-1])
            if log is not None:
                return log
    log = controller.logs.latest(service_id)
    if log is None:
        raise not_found(f"No revision of a service {service_id!r} was ever started.")
    return log
