"""A schedule on which a service is called."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass

import pulumi
from pulumi_gcp import cloudscheduler

from components.tokens import Area, token


@dataclass(frozen=True, slots=True)
class Timetable:
    """When a job runs: unix-cron, in a time zone."""

    schedule: str
    time_zone: str | None = None


@dataclass(frozen=True, slots=True)
class ServiceCall:
    """The call that a job makes: a POST with an identity token of the account for the service."""

    url: pulumi.Input[str]
    service_account: str
    body: str = ""


class SchedulerJob(pulumi.ComponentResource):
    """A Cloud Scheduler job that calls a Cloud Run service as a service account."""

    job_name: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        project: str,
        region: str,
        timetable: Timetable,
        call: ServiceCall,
        description: str = "",
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the job.

        Args:
            name: The job's name.
            project: The project that it is in.
            region: Where it runs.
            timetable: When it runs.
            call: What it calls.
            description: What it is for.
            opts: What the job comes after.
        """
        super().__init__(token(Area.SERVICE, "SchedulerJob"), name, None, opts)
        job = cloudscheduler.Job(
            name,
            name=name,
            project=project,
            region=region,
            description=description or None,
            schedule=timetable.schedule,
            time_zone=timetable.time_zone,
            http_target=cloudscheduler.JobHttpTargetArgs(
                uri=call.url,
                http_method="POST",
                body=base64.b64encode(call.body.encode()).decode() if call.body else None,
                headers={"Content-Type": _content_type(call.body)} if call.body else None,
                oidc_token=cloudscheduler.JobHttpTargetOidcTokenArgs(
                    # Cloud Run takes tokens for its own address, whatever path is called.
                    service_account_email=call.service_account,
                    audience=call.url,
                ),
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.job_name = job.name
        self.register_outputs({"jobName": self.job_name})


def _content_type(body: str) -> str:
    """Say what a body is; Cloud Scheduler would call it a stream of bytes."""
    try:
        json.loads(body)
    except ValueError:
        return "text/plain; charset=utf-8"
    return "application/json"
