"""A collection of a Firestore database."""

from __future__ import annotations

import pulumi

from components.tokens import Area, token


class FirestoreCollection(pulumi.ComponentResource):
    """A collection: a place in a database, and nothing that the cloud has to make.

    Firestore has a collection as soon as a service writes its first document, and none without
    documents. The component has no resource below it: it puts the place into plans, graphs and
    outputs, and what is in the collection goes when the database goes.
    """

    collection_path: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        collection: str,
        database_path: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the collection.

        Args:
            name: The collection's name in its stack, `database.collection`.
            collection: The collection's name in its database.
            database_path: The database that it is in, `projects/…/databases/…`.
            opts: What the collection comes after.
        """
        super().__init__(token(Area.DATAFLOW, "FirestoreCollection"), name, None, opts)
        self.collection_path = pulumi.Output.concat(database_path, "/documents/", collection)
        self.register_outputs({"collectionPath": self.collection_path})
