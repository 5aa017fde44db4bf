"""The images of the application's services; the director's is in the director's own stack."""

from __future__ import annotations

from architecture import names
from architecture.model import Deployment, Service
from components.service_image import ServiceImage
from stacks.context import StackContext
from stacks.program import Outputs


def declare(context: StackContext) -> Outputs:
    """Declare one image per service that has a deployment; they are built side by side."""
    images = {
        service.name: service_image(context, service, service.deployment).reference
        for _, service in context.architecture.services()
        if service.deployment is not None
    }
    return {"images": images}


def service_image(context: StackContext, service: Service, deployment: Deployment) -> ServiceImage:
    """Declare the image of a service, built from its build context."""
    return ServiceImage(
        service.name,
        image_name=names.image_name(
            context.registry, context.project, deployment.image_repo, service.name
        ),
        build_context=context.build_context(service.name),
    )
