"""A Pub/Sub topic."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
from pulumi_gcp import pubsub

from components.tokens import Area, token


class Topic(pulumi.ComponentResource):
    """A Pub/Sub topic; one that retains messages holds data and can be protected."""

    topic_name: pulumi.Output[str]
    topic_path: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        project: str,
        labels: Mapping[str, str],
        message_retention_duration: str | None = None,
        teardown_protection: bool = False,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(token(Area.DATAFLOW, "Topic"), name, None, opts)
        holds_data = message_retention_duration is not None
        topic = pubsub.Topic(
            name,
            name=name,
            project=project,
            labels=labels,
            message_retention_duration=message_retention_duration,
            opts=pulumi.ResourceOptions(parent=self, protect=holds_data and teardown_protection),
        )
        self.topic_name = topic.name
        self.topic_path = topic.id
        self.register_outputs({"topicName": self.topic_name, "topicPath": self.topic_path})
