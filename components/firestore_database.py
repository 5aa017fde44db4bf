"""A Firestore database."""

from __future__ import annotations

import pulumi
from pulumi_gcp import firestore

from components.tokens import Area, token


class FirestoreDatabase(pulumi.ComponentResource):
    """A Firestore database; Firestore gives it no labels and no policy of its own."""

    database_name: pulumi.Output[str]
    database_path: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        project: str,
        location: str,
        database_type: str,
        teardown_protection: bool = False,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the database.

        Args:
            name: The database's name, or `(default)`.
            project: The project that it is in.
            location: Where its data is; it cannot change.
            database_type: `FIRESTORE_NATIVE` or `DATASTORE_MODE`.
            teardown_protection: Whether it is never deleted.
            opts: What the database comes after.
        """
        super().__init__(token(Area.DATAFLOW, "FirestoreDatabase"), name, None, opts)
        state = "ENABLED" if teardown_protection else "DISABLED"
        database = firestore.Database(
            name,
            name=name,
            project=project,
            location_id=location,
            type=database_type,
            delete_protection_state=f"DELETE_PROTECTION_{state}",
            # The provider's default forgets the database and leaves it in the project.
            deletion_policy="DELETE",
            opts=pulumi.ResourceOptions(parent=self, protect=teardown_protection or None),
        )
        self.database_name = database.name
        self.database_path = database.id
        self.register_outputs(
            {"databaseName": self.database_name, "databasePath": self.database_path}
        )
