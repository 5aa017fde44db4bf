"""Who may do what to an object, also where nobody is known to be calling."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal.cloud.errors import unauthenticated
from rehearsal.cloud.iam.members import ANONYMOUS
from rehearsal.cloud.storage.objects import Objects

if TYPE_CHECKING:
    from rehearsal.cloud.local_cloud import LocalCloud


class ObjectAccess:
    """Decides for one local cloud."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._iam = cloud.iam
        self._objects = cloud.part(Objects)

    def require(self, principal: str, permission: str, bucket: str, name: str) -> None:
        """Refuse who lacks a permission on an object.

        Raises:
            ApiError: 403; 401 where nobody is known to be calling.
        """
        resource = f"projects/_/buckets/{bucket}/objects/{name}"
        if principal == ANONYMOUS and not self._iam.allows(principal, permission, resource):
            raise unauthenticated()
        self._iam.require(principal, permission, resource)

    def require_writable(self, principal: str, bucket: str, name: str) -> None:
        """Refuse who may not write an object; overwriting deletes what was there.

        Raises:
            ApiError: 401, 403; 404 where there is no such bucket.
        """
        self.require(principal, "storage.objects.create", bucket, name)
        if self._objects.live(bucket, name) is not None:
            self.require(principal, "storage.objects.delete", bucket, name)
