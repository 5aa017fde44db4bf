"""`google-cloud-firestore`'s admin client: databases, each change through its operation."""

from __future__ import annotations

from google.cloud.firestore_admin_v1 import FirestoreAdminClient
from google.cloud.firestore_admin_v1.types import (
    CreateDatabaseMetadata,
    Database,
    DeleteDatabaseMetadata,
)
from google_clients import PROJECT, Clients, refused

NAME = f"{PROJECT}/databases/appdb"
NATIVE = {"location_id": "eur3", "type_": "FIRESTORE_NATIVE"}
PROTECTION = Database.DeleteProtectionState


def test_a_database_lives(clients: Clients) -> None:
    """Created, read, listed, changed by mask and deleted; the name is free again afterwards."""
    admin = clients.rest(FirestoreAdminClient, "firestore")
    creating = admin.create_database(parent=PROJECT, database_id="appdb", database=NATIVE)
    database = creating.result(10)
    assert isinstance(creating.metadata, CreateDatabaseMetadata)
    assert database == admin.get_database(name=NAME)
    assert list(admin.list_databases(parent=PROJECT).databases) == [database]
    assert (database.location_id, database.type_) == ("eur3", Database.DatabaseType(1))
    recovery = Database.PointInTimeRecoveryEnablement.POINT_IN_TIME_RECOVERY_ENABLED
    changed = admin.update_database(
        database={"name": NAME, "point_in_time_recovery_enablement": recovery},
        update_mask={"paths": ["point_in_time_recovery_enablement"]},
    ).result(10)
    assert changed.point_in_time_recovery_enablement is recovery
    assert (changed.uid, changed.location_id) == (database.uid, "eur3")
    assert changed.etag != database.etag
    deleting = admin.delete_database(name=NAME)
    deleting.result(10)
    assert isinstance(deleting.metadata, DeleteDatabaseMetadata)
    with refused("NOT_FOUND"):
        admin.get_database(name=NAME)
    again = admin.create_database(parent=PROJECT, database_id="appdb", database=NATIVE).result(10)
    assert again.uid != database.uid


def test_what_protects_a_database(clients: Clients) -> None:
    """Neither a protected one nor one that changed since it was read is deleted."""
    admin = clients.rest(FirestoreAdminClient, "firestore")
    before = admin.create_database(parent=PROJECT, database_id="appdb", database=NATIVE).result(10)
    mask = {"paths": ["delete_protection_state"]}
    protected = {"name": NAME, "delete_protection_state": PROTECTION.DELETE_PROTECTION_ENABLED}
    admin.update_database(database=protected, update_mask=mask).result(10)
    with refused("FAILED_PRECONDITION"):
        admin.delete_database(name=NAME)
    freed = {"name": NAME, "delete_protection_state": PROTECTION.DELETE_PROTECTION_DISABLED}
    after = admin.update_database(database=freed, update_mask=mask).result(10)
    with refused("FAILED_PRECONDITION", "etag"):
        admin.delete_database(request={"name": NAME, "etag": before.etag})
    admin.delete_database(request={"name": NAME, "etag": after.etag}).result(10)
    assert not admin.list_databases(parent=PROJECT).databases
