"""A call's way from request to answer: method, principal, API, checks, permission, handler, log.

Works on plain values, whatever the transport; HTTP is `rehearsal.cloud.front`'s matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from rehearsal.cloud.call_log import OpenCall
from rehearsal.cloud.calls import Call, JsonObject
from rehearsal.cloud.discovery.checking import checked_body, checked_query, require_fields
from rehearsal.cloud.discovery.documents import Method, Routes
from rehearsal.cloud.discovery.masks import checked_mask, replaces_all
from rehearsal.cloud.errors import (
    ApiError,
    failed_precondition,
    not_found,
    unauthenticated,
)
from rehearsal.cloud.etag_conditions import check_after, check_before
from rehearsal.cloud.faults.injector import Subject
from rehearsal.cloud.iam.members import ANONYMOUS
from rehearsal.cloud.paging import page_of_answer
from rehearsal.cloud.partial_responses import chosen, selection_of
from rehearsal.cloud.registry import all_handlers, all_requirements

if TYPE_CHECKING:
    from rehearsal.cloud.local_cloud import LocalCloud


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it arrived.

    Attributes:
        http_method: GET, POST and so on.
        raw_path: The path as sent, percent-encoding included.
        query: Its parameters; of repeated ones all, joined by commas.
        body: The parsed JSON body; `{}` where there is none.
        principal: Who is calling.
        base_url: Where it arrived, like `http://127.0.0.1:8080`.
        headers: Of any case; those that Google's APIs read count.
    """

    http_method: str
    raw_path: str
    query: Mapping[str, str]
    body: Any
    principal: str
    base_url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


class Pipeline:
    """Answers calls for one local cloud."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud
        self._routes = Routes()
        self._handlers = all_handlers(cloud)
        self._requirements = all_requirements()
        unknown = {*self._handlers, *self._requirements} - set(self._routes.method_ids())
        assert not unknown, f"not in any discovery document: {sorted(unknown)}"

    async def answer(self, request: Request) -> JsonObject | None:
        """Return the answer's body, None for one without.

        Raises:
            ApiError: whatever the call was refused for.
        """
        log = self._cloud.log
        name = f"{request.http_method} {request.raw_path}"
        with log.call(name, request.principal, request.raw_path) as entry:
            answer = await self._answer(request, entry)
            entry.answered(204 if answer is None else 200)
            return answer

    async def _answer(self, request: Request, entry: OpenCall) -> JsonObject | None:
        found = self._routes.find(request.http_method, request.raw_path)
        if found is None:
            raise not_found(f"No such method: {request.http_method} {request.raw_path}")
        method, raw_params = found
        entry.method = method.id
        handler = self._handlers.get(method.id)
        if handler is None:
            raise failed_precondition(f"not implemented in the local cloud: {method.id}")
        call = self._call(request, method, raw_params)
        if not self._is_ours(call.params["project"]):
            # Google does not tell a foreign project from one that does not exist.
            raise ApiError(403, "PERMISSION_DENIED", "The caller does not have permission")
        entry.resource = self._resource_of(call)
        selection = selection_of(method, call.query, request.headers.get("X-Goog-FieldMask"))
        subject = Subject(method.id, entry.resource, request.principal)
        async with self._cloud.faults.around(subject, entry.injected):
            self._cloud.apis.require(method.api.service, method.api.title)
            self._check_permission(call, method, entry)
            require_fields(method, call.query, call.body)
            masked_call = replace(
                call,
                update_mask=checked_mask(method, call.query, call.body),
                replaces_all=replaces_all(call.query, call.body),
            )
            await check_before(method, call, self._handlers)
            answer = await handler(masked_call)
            if answer is None:
                return None
            check_after(method, call, answer)
            page = page_of_answer(method, call, answer)
            return page if selection is None else chosen(page, selection)

    def _call(self, request: Request, method: Method, raw_params: dict[str, str]) -> Call:
        query = checked_query(method, request.query)
        params = {name: self._cloud.canonical(value) for name, value in raw_params.items()}
        resource = params.get("resource", "")
        if resource and "/" not in resource:
            # Resource Manager v1 names projects by their bare id or number.
            params["resource"] = self._cloud.canonical(f"projects/{resource}")
        params["project"] = self._project(params, query)
        if "projectId" in params:
            params["projectId"] = params["project"]
        return Call(
            method_id=method.id,
            params=params,
            query=query,
            body=checked_body(method, request.body),
            principal=request.principal,
            path=request.raw_path,
            base_url=request.base_url,
            if_match=request.headers.get("If-Match", ""),
            if_none_match=request.headers.get("If-None-Match", ""),
        )

    def _project(self, params: Mapping[str, str], query: Mapping[str, str]) -> str:
        """The project that a call is about; ours where it names none, as buckets do."""
        named = next(
            (
                value.split("/")[1]
                for value in params.values()
                if value.startswith("projects/") and value.count("/")
            ),
            params.get("projectId") or query.get("project") or self._cloud.project_id,
        )
        is_number = named == self._cloud.project_number
        return self._cloud.project_id if is_number else named

    def _is_ours(self, project: str) -> bool:
        return project in (self._cloud.project_id, "_")

    def _resource_of(self, call: Call) -> str:
        """The resource that a call is about, as far as its permission tells."""
        requirement = self._requirements.get(call.method_id)
        if requirement is None:
            return call.path
        return requirement.resource.format_map(call.params)

    def _check_permission(self, call: Call, method: Method, entry: OpenCall) -> None:
        requirement = self._requirements.get(method.id)
        if requirement is None:
            if call.principal == ANONYMOUS and not method.api.is_lenient:
                raise unauthenticated()
            return
        holder = requirement.holder(call)
        with entry.decided(requirement.permission):
            try:
                self._cloud.iam.require(holder, requirement.permission, entry.resource)
            except ApiError:
                if call.principal == ANONYMOUS:
                    raise unauthenticated() from None
                raise
