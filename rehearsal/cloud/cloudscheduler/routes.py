"""Methods of the Cloud Scheduler API: jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from rehearsal.cloud.calls import Background, Call, Handler, JsonObject, Requirement
from rehearsal.cloud.cloudscheduler.jobs import Jobs
from rehearsal.cloud.cloudscheduler.timetable import Timetable

if TYPE_CHECKING:
    from rehearsal.cloud.local_cloud import LocalCloud

_METHODS: Final = "cloudscheduler.projects.locations.jobs"
_TYPE: Final = "cloudscheduler.jobs"
REQUIREMENTS: Final[Mapping[str, Requirement]] = {
    f"{_METHODS}.create": Requirement(f"{_TYPE}.create", "{parent}"),
    f"{_METHODS}.list": Requirement(f"{_TYPE}.list", "{parent}"),
    f"{_METHODS}.get": Requirement(f"{_TYPE}.get", "{name}"),
    f"{_METHODS}.patch": Requirement(f"{_TYPE}.update", "{name}"),
    f"{_METHODS}.delete": Requirement(f"{_TYPE}.delete", "{name}"),
    f"{_METHODS}.pause": Requirement(f"{_TYPE}.pause", "{name}"),
    f"{_METHODS}.resume": Requirement(f"{_TYPE}.enable", "{name}"),
    f"{_METHODS}.run": Requirement(f"{_TYPE}.run", "{name}"),
}


def handlers(cloud: LocalCloud) -> Mapping[str, Handler]:
    """The methods that are modelled."""
    jobs, timetable = cloud.part(Jobs), cloud.part(Timetable)

    async def create(call: Call) -> JsonObject:
        return timetable.plan(jobs.create(call))

    async def in_location(call: Call) -> JsonObject:
        found = jobs.all(f"{call.params['parent']}/jobs/")
        return {"jobs": found} if found else {}

    async def get(call: Call) -> JsonObject:
        return jobs.get(call.params["name"])

    async def patch(call: Call) -> JsonObject:
        return timetable.plan(jobs.patch(call))

    async def delete(call: Call) -> JsonObject:
        jobs.delete(call.params["name"])
        timetable.forget(call.params["name"])
        return {}

    async def pause(call: Call) -> JsonObject:
        return timetable.plan(jobs.record(call.params["name"], state="PAUSED"))

    async def resume(call: Call) -> JsonObject:
        return timetable.plan(jobs.record(call.params["name"], state="ENABLED"))

    async def run(call: Call) -> JsonObject:
        return timetable.run_now(call.params["name"])

    return {
        f"{_METHODS}.create": create,
        f"{_METHODS}.list": in_location,
        f"{_METHODS}.get": get,
        f"{_METHODS}.patch": patch,
        f"{_METHODS}.delete": delete,
        f"{_METHODS}.pause": pause,
        f"{_METHODS}.resume": resume,
        f"{_METHODS}.run": run,
    }


def background(cloud: LocalCloud) -> Sequence[Background]:
    """What fires the jobs."""
    return [cloud.part(Timetable)]
