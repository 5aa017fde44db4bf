"""A BigQuery table."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import pulumi
from pulumi.output import UNKNOWN
from pulumi_gcp import bigquery

from components.tokens import Area, token

_MS = 1000


@dataclass(frozen=True, slots=True)
class Partitioning:
    """Partitions by time: of a column, or of arrival where no column is named."""

    unit: str
    field: str | None = None
    expiration_s: float | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """How a table's rows are laid out, and for how long they stay.

    `schema` is BigQuery's JSON list of columns; without one the first load makes the columns. With
    `owns_schema` it is all of them, for good; else what the table starts with, and loads add more.
    """

    schema: str | None = None
    partitioning: Partitioning | None = None
    clustering: Sequence[str] = ()
    expiration_s: float | None = None
    owns_schema: bool = True


class Table(pulumi.ComponentResource):
    """A BigQuery table.

    BigQuery takes the end of a table's life as a point in time. It is fixed when the table is
    made: counting anew from every deployment would never let the table end.
    """

    table_id: pulumi.Output[str]
    table_path: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        project: str,
        dataset: str,
        table: str,
        layout: Layout,
        labels: Mapping[str, str],
        description: str = "",
        teardown_protection: bool = False,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the table.

        Args:
            name: The table's name in its stack, `dataset.table`.
            project: The project that it is in.
            dataset: The dataset that it is in.
            table: The table's name in its dataset.
            layout: Columns, partitions and expirations.
            labels: Its labels.
            description: What it holds.
            teardown_protection: Whether it is never deleted.
            opts: What the table comes after.
        """
        super().__init__(token(Area.DATAFLOW, "Table"), name, None, opts)
        resource = bigquery.Table(
            name,
            project=project,
            dataset_id=dataset,
            table_id=table,
            description=description or None,
            labels=labels,
            schema=layout.schema,
            clusterings=list(layout.clustering) or None,
            time_partitioning=_partitioning(layout.partitioning),
            expiration_time=_end_ms(layout.expiration_s),
            # Pulumi's own protection is listed by `conductor destroy`; this one holds elsewhere.
            deletion_protection=teardown_protection,
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=teardown_protection or None,
                ignore_changes=_left_alone(layout),
            ),
        )
        self.table_id = resource.table_id
        self.table_path = resource.id
        self.register_outputs({"tableId": self.table_id, "tablePath": self.table_path})


def _left_alone(layout: Layout) -> list[str]:
    """Name what is only given when the table is made."""
    left = [] if layout.owns_schema else ["schema"]
    return left if layout.expiration_s is None else [*left, "expirationTime"]


def _partitioning(wanted: Partitioning | None) -> bigquery.TableTimePartitioningArgs | None:
    if wanted is None:
        return None
    expiration_s = wanted.expiration_s
    return bigquery.TableTimePartitioningArgs(
        type=wanted.unit,
        field=wanted.field,
        expiration_ms=None if expiration_s is None else round(expiration_s * _MS),
    )


def _end_ms(expiration_s: float | None) -> pulumi.Output[int] | None:
    """Count from the moment at which the table is made, which no preview knows."""
    if expiration_s is None:
        return None
    if pulumi.runtime.is_dry_run():
        return pulumi.Output.from_input(cast("int", UNKNOWN))
    return pulumi.Output.from_input(round((time.time() + expiration_s) * _MS))
