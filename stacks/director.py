"""The director: its image, its topics and subscription, its service, the grants on those."""

from __future__ import annotations

import pulumi

from architecture.model import HealthCheck
from components.service import Scaling
from stacks.context import StackContext
from stacks.errors import StackError
from stacks.granting import applied_grants, declare_grants
from stacks.images import service_image
from stacks.messaging import declare_messaging
from stacks.program import Outputs
from stacks.running import declare_service

# Commands arrive at any time and are worked off one by one: there is always one, and only one.
ALWAYS_ONE = Scaling(min_instances=1, max_instances=1, cpu_always_on=True)
# Answered 200 once its start-up check has passed and commands arrive: Cloud Run waits for that
# for as long as a start-up probe may, since the director's grants may take minutes to work.
READY = HealthCheck(path="/health/ready")


def declare(context: StackContext) -> Outputs:
    """Declare the director and all that it talks through."""
    architecture = context.architecture
    director, infrastructure = architecture.director, architecture.director_dataflow
    if infrastructure is None or director.deployment is None:
        raise StackError(
            "the architecture does not say how the director is deployed, or declares no topics "
            "for it; deploy the hydrated architecture"
        )
    messaging = declare_messaging(context, infrastructure, architecture.dataflows[infrastructure])
    on_service = [grant for grant in context.grants if str(grant.resource.kind) == "service"]
    others = [grant for grant in context.grants if grant not in on_service]
    # The director is healthy only once it pulls commands: its grants come before its service.
    granted = declare_grants(context, others, after=lambda grant: [messaging.resource_of(grant)])
    image = service_image(context, director, director.deployment)
    service = declare_service(
        context,
        director.model_copy(update={"health_check": director.health_check or READY}),
        director.deployment,
        image=image.reference,
        environment={**director.deployment.environment_vars, **context.director_environment},
        scaling=ALWAYS_ONE,
        opts=pulumi.ResourceOptions(depends_on=granted),
    )
    declare_grants(context, on_service, after=lambda _: [service])
    return {
        "directorUrl": service.url,
        "image": image.reference,
        "topics": {name: topic.topic_path for name, topic in messaging.topics.items()},
        "subscriptions": {
            name: subscription.subscription_path
            for name, subscription in messaging.subscriptions.items()
        },
        "grants": applied_grants(context),
    }
