"""A BigQuery dataset."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
from pulumi_gcp import bigquery

from components.tokens import Area, token


class Dataset(pulumi.ComponentResource):
    """A BigQuery dataset; who may use it is granted beside it, never in its own list of access."""

    dataset_id: pulumi.Output[str]
    dataset_path: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        project: str,
        location: str,
        labels: Mapping[str, str],
        description: str = "",
        teardown_protection: bool = False,
        takes_contents: bool = False,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the dataset.

        Args:
            name: The dataset's name; letters, digits and underscores.
            project: The project that it is in.
            location: Where its data is; it cannot change.
            labels: Its labels.
            description: What it holds.
            teardown_protection: Whether it is never deleted.
            takes_contents: Whether tables that others made in it go with it; a dataset that has
                any is otherwise not deleted.
            opts: What the dataset comes after.
        """
        super().__init__(token(Area.DATAFLOW, "Dataset"), name, None, opts)
        dataset = bigquery.Dataset(
            name,
            dataset_id=name,
            project=project,
            location=location,
            description=description or None,
            labels=labels,
            delete_contents_on_destroy=takes_contents,
            opts=pulumi.ResourceOptions(parent=self, protect=teardown_protection or None),
        )
        self.dataset_id = dataset.dataset_id
        self.dataset_path = dataset.id
        self.register_outputs({"datasetId": self.dataset_id, "datasetPath": self.dataset_path})
