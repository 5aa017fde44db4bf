"""Declares one dataflow's schedules: they call services, so they come after these."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi

from architecture import names
from architecture.model import CloudSchedulerJob
from components.scheduler_job import SchedulerJob, ServiceCall, Timetable
from components.service import CloudRunService
from stacks.context import StackContext


def declare_schedules(
    context: StackContext,
    services: Mapping[str, CloudRunService],
    after: list[pulumi.Resource],
) -> dict[str, SchedulerJob]:
    """Declare a dataflow's schedules.

    Args:
        context: The stack, which is the dataflow's services'.
        services: The services that the same stack declares.
        after: What lets the schedules call these.
    """
    return {
        job.name: SchedulerJob(
            job.name,
            project=context.project,
            region=context.region,
            timetable=Timetable(job.schedule, job.time_zone or None),
            call=ServiceCall(
                url=_url(context, job, services),
                service_account=names.account_email(job.service_account, context.project),
                body=job.message_body,
            ),
            description=job.description,
            opts=pulumi.ResourceOptions(depends_on=after),
        )
        for job in context.dataflow.resources.cloud_scheduler_jobs
    }


def _url(
    context: StackContext, job: CloudSchedulerJob, services: Mapping[str, CloudRunService]
) -> pulumi.Output[str]:
    """Find the address of the service that a job calls, whoever's it is."""
    target = job.target_service
    if target in services:
        return services[target].url
    if target == context.architecture.director.name:
        return context.upstream.text(context.name.sibling("director"), "directorUrl")
    flow = next(name for name, service in context.architecture.services() if service.name == target)
    return context.upstream.text(context.name.sibling("services", flow), "urls", target)
