"""The Cloud Run controller of each local cloud, made on first use."""

from weakref import WeakKeyDictionary

from rehearsal.cloud.local_cloud import LocalCloud
from rehearsal.cloud.run.controller import RunController

_CONTROLLERS: WeakKeyDictionary[LocalCloud, RunController] = WeakKeyDictionary()


def controller_of(cloud: LocalCloud) -> RunController:
    """Return the cloud's controller."""
    controller = _CONTROLLERS.get(cloud)
    if controller is None:
        controller = _CONTROLLERS[cloud] = RunController(cloud)
    return controller
