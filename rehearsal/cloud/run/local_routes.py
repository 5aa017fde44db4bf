"""What the local cloud tells about running services: `/_local/services`, `/_local/logs/<service>`.

`rehearsal.cloud.local_routes` asks here.
"""

from aiohttp import web

from rehearsal.cloud.errors import not_found
from rehearsal.cloud.local_cloud import LocalCloud
from rehearsal.cloud.run.runner import tail
from rehearsal.cloud.run.state import controller_of

_SERVICES_PATH = "/_local/services"
_LOGS_PATH = "/_local/logs/"
_LOG_BYTES = 64 * 1024


def answer(cloud: LocalCloud, path: str) -> web.Response:
    """Answer a request for one of the paths above.

    Raises:
        ApiError: 404; no such service, or it never had a revision.
    """
    controller = controller_of(cloud)
    if path == _SERVICES_PATH:
        return web.json_response({"services": controller.running()})
    service = path.removeprefix(_LOGS_PATH)
    log = controller.log_of(service)
    if log is None:
        raise not_found(f"No revision of a service {service!r} was ever started.")
    return web.Response(text=tail(log, max_bytes=_LOG_BYTES))
