"""One request: who makes it, its one transaction, and its reply if it was made before."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Header, Request
from fastapi.responses import Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel

from orchestration.api.backend import Backend
from orchestration.api.background import Upkeep
from orchestration.api.refusals import Unauthenticated
from orchestration.coordination.identity import Caller
from orchestration.coordination.refusals import Forbidden, KeyReused
from orchestration.coordination.storage import replies, tokens
from orchestration.coordination.storage.database import Transaction

JSON = "application/json"
LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1", "[::1]"})

_bearer = HTTPBearer(auto_error=False, description="A token of `conductor token create`.")


def json_reply(body: BaseModel, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """Answer with a document; optional fields that are empty stay out, as agents know it."""
    return Response(_text(body), status_code=status, media_type=JSON)


def _text(body: BaseModel | str) -> str:
    return body if isinstance(body, str) else body.model_dump_json(exclude_none=True)


@dataclass(frozen=True, slots=True)
class Call:
    """What a request brings along besides its body."""

    backend: Backend
    upkeep: Upkeep
    path: str
    host: str
    token: str | None
    idempotency_key: str | None

    @contextmanager
    def reading(self) -> Iterator[tuple[Transaction, Caller]]:
        """Run the block on an unchanging view of the data, as the caller."""
        with self.backend.database.reading() as tx:
            yield tx, self._identify(tx)

    @contextmanager
    def writing(self) -> Iterator[tuple[Transaction, Caller]]:
        """Run the block as the request's one transaction, as the caller."""
        with self.backend.database.transaction() as tx:
            yield tx, self._identify(tx)

    def once(
        self,
        request: BaseModel | None,
        act: Callable[[Transaction, Caller], BaseModel | str],
        status: HTTPStatus = HTTPStatus.OK,
    ) -> Response:
        """Act in one transaction; under a known idempotency key, only give the first reply again.

        `act` gives the reply, or its JSON text where that is made already.

        Raises:
            KeyReused: the key belongs to another request.
        """
        with self.writing() as (tx, caller):
            # Document 004's agents have only bodies.
            given = self.idempotency_key or getattr(request, "idempotency_key", None)
            if given is None:
                body = _text(act(tx, caller))
                return Response(body, status_code=status, media_type=JSON)
            key = replies.RequestKey(
                caller=f"{caller.name}/{caller.customer_id or ''}",
                key=given,
                digest=self._digest(request),
            )
            known = replies.reserve(tx, key)
            if known is None:
                body = _text(act(tx, caller))
                replies.keep(tx, key, status=status, body=body)
                return Response(body, status_code=status, media_type=JSON)
        if known.digest != key.digest:
            raise KeyReused("this idempotency key was used for another request")
        return Response(
            known.body,
            status_code=known.status,
            media_type=JSON,
            headers={"Idempotency-Replayed": "true"},
        )

    def _digest(self, request: BaseModel | None) -> str:
        body = request.model_dump_json() if request is not None else ""
        return hashlib.sha256(f"{self.path}\n{body}".encode()).hexdigest()

    def _identify(self, tx: Transaction) -> Caller:
        if self.token is not None:
            holder = tokens.find(tx, self.token)
            if holder is None:
                raise Unauthenticated("this token is not known here")
            return Caller(subject=holder.subject, role=holder.role, customer_id=holder.customer_id)
        if self.backend.requires_tokens(tx):
            raise Unauthenticated("this request needs a token")
        if self.host not in LOOPBACK_NAMES:
            # A page in a browser of this machine could reach us by a name of its own.
            raise Forbidden(
                f"without tokens, only this machine is served, not {self.host!r}",
                hint="call http://127.0.0.1, or create a token",
            )
        return Caller()


# Not a plain function: that would cost a hop to another thread.
async def _call(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Call:
    if credentials is None and request.headers.get("authorization"):
        raise Unauthenticated("only bearer tokens are understood")
    backend: Backend = request.app.state.backend
    return Call(
        backend=backend,
        upkeep=request.app.state.upkeep,
        path=request.url.path,
        host=request.url.hostname or "",
        token=credentials.credentials if credentials else None,
        idempotency_key=None,
    )


async def _repeatable_call(
    call: Annotated[Call, Depends(_call)],
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=200,
            pattern=r"^[\x21-\x7e]+$",
            description="A repeated request with the same key is answered again, not done again.",
        ),
    ] = None,
) -> Call:
    return replace(call, idempotency_key=idempotency_key)


CurrentCall = Annotated[Call, Depends(_call)]
# Of the routes that act `once`; for any other one a key means nothing, whatever it looks like.
RepeatableCall = Annotated[Call, Depends(_repeatable_call)]
