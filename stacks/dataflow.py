"""One dataflow's topics and subscriptions, datasets, buckets and databases, and who may use them.

Its schedules are in its services' stack: they need the services' addresses.
"""

from __future__ import annotations

from stacks.context import StackContext
from stacks.granting import applied_grants, declare_grants
from stacks.messaging import declare_messaging
from stacks.program import Outputs
from stacks.storing import declare_storage


def declare(context: StackContext) -> Outputs:
    """Declare a dataflow's resources, then who may use them."""
    name, dataflow = str(context.name.dataflow), context.dataflow
    messaging = declare_messaging(context, name, dataflow)
    storage = declare_storage(context, name, dataflow)
    declare_grants(
        context,
        context.grants,
        after=lambda grant: [messaging.resource_of(grant), storage.resource_of(grant)],
    )
    return {
        "topics": {name: topic.topic_path for name, topic in messaging.topics.items()},
        "subscriptions": {
            name: subscription.subscription_path
            for name, subscription in messaging.subscriptions.items()
        },
        "datasets": {name: item.dataset_path for name, item in storage.datasets.items()},
        "tables": {name: item.table_path for name, item in storage.tables.items()},
        "buckets": {name: item.url for name, item in storage.buckets.items()},
        "databases": {name: item.database_path for name, item in storage.databases.items()},
        "collections": {name: item.collection_path for name, item in storage.collections.items()},
        "grants": applied_grants(context),
    }
