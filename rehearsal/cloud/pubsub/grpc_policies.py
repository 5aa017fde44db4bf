"""`google.iam.v1.IAMPolicy`, which Pub/Sub's clients call on the same channel for policies.

The methods themselves are those of REST; only the translation is here.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from google.protobuf import json_format

from rehearsal.cloud.calls import Call, Handler
from rehearsal.cloud.errors import failed_precondition
from rehearsal.cloud.iam.policy_methods import policy_handlers
from rehearsal.cloud.local_cloud import LocalCloud
from rehearsal.cloud.pubsub.broker import Broker
from rehearsal.cloud.pubsub.grpc_methods import UnaryMethod
from rehearsal.cloud.pubsub.protocol import Proto, message_class
from rehearsal.cloud.pubsub.requirements import SUBSCRIPTIONS, TOPICS

_PACKAGE: Final = "google.iam.v1"
IAM_POLICY: Final = f"{_PACKAGE}.IAMPolicy"
# The answer of each method.
_ANSWERS: Final[Mapping[str, str]] = {
    "GetIamPolicy": "Policy",
    "SetIamPolicy": "Policy",
    "TestIamPermissions": "TestIamPermissionsResponse",
}


def policy_methods(cloud: LocalCloud, broker: Broker) -> Mapping[str, UnaryMethod]:
    """The methods by their names in gRPC."""
    handlers = {
        **policy_handlers(cloud, TOPICS, broker.topics.get),
        **policy_handlers(cloud, SUBSCRIPTIONS, broker.subscriptions.get),
    }
    return {
        name: UnaryMethod(
            f"{_PACKAGE}.{name}Request",
            f"{{collection}}.{name[0].lower()}{name[1:]}",
            "resource",
            "resource",
            _answer(handlers, name, kind),
        )
        for name, kind in _ANSWERS.items()
    }


def _answer(
    handlers: Mapping[str, Handler], name: str, kind: str
) -> Callable[[Broker, Proto, str], Awaitable[Proto]]:
    verb = f"{name[0].lower()}{name[1:]}"
    answer_class = message_class(f"{_PACKAGE}.{kind}")

    async def answer(_broker: Broker, request: Proto, principal: str) -> Proto:
        resource: str = request.resource
        collection = next(
            (c for c in (TOPICS, SUBSCRIPTIONS) if f"/{c.rpartition('.')[2]}/" in resource), None
        )
        if collection is None:
            raise failed_precondition(
                f"not implemented in the local cloud: {IAM_POLICY}.{name} of {resource}"
            )
        call = Call(
            method_id=f"{collection}.{verb}",
            params={"resource": resource, "project": resource.split("/")[1]},
            query={},
            body=json_format.MessageToDict(request),
            principal=principal,
            path=f"/{IAM_POLICY}/{name}",
        )
        return json_format.ParseDict(await handlers[call.method_id](call), answer_class())

    return answer
