"""One dataflow's services on Cloud Run, who may invoke them, and the schedules that do."""

from __future__ import annotations

from components.service import CloudRunService
from stacks.context import StackContext
from stacks.granting import applied_grants, declare_grants
from stacks.program import Outputs
from stacks.running import declare_service
from stacks.scheduling import declare_schedules


def declare(context: StackContext) -> Outputs:
    """Declare a dataflow's services, then the grants to invoke them, then its schedules."""
    images = context.name.sibling("images")
    director_url = context.upstream.text(context.name.sibling("director"), "directorUrl")
    services: dict[str, CloudRunService] = {}
    for service in context.dataflow.services.values():
        if service.deployment is None:
            continue
        services[service.name] = declare_service(
            context,
            service,
            service.deployment,
            image=context.upstream.text(images, "images", service.name),
            environment={
                **service.deployment.environment_vars,
                "SERVICE_DIRECTOR_URL": director_url,
            },
        )
    granted = declare_grants(
        context, context.grants, after=lambda grant: [services.get(grant.resource.name)]
    )
    jobs = declare_schedules(context, services, after=[*granted])
    return {
        "urls": {name: service.url for name, service in services.items()},
        "schedules": {name: job.job_name for name, job in jobs.items()},
        "grants": applied_grants(context),
    }
