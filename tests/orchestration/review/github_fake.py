"""GitHub's API for the comments of pull requests, on loopback: what `comment --github` calls."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "ghs_0123456789abcdef"
BOT = "github-actions[bot]"
LIST = re.compile(r"/repos/acme/shop/issues/7/comments")
ONE = re.compile(r"/repos/acme/shop/issues/comments/(\d+)")


@dataclass
class Refusal:
    """An answer in the place of the usual one; `is_done` does first what was asked for."""

    status: int
    body: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    method: str = ""
    is_done: bool = False


@dataclass
class FakeGitHub:
    """One pull request, acme/shop#7; `user` is who the token says that it is, if it may."""

    url: str = ""
    user: str | None = None
    comments: list[dict[str, Any]] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    def add(self, author: str, body: str) -> int:
        """Have somebody comment."""
        number = len(self.comments) + 1
        self.comments.append(
            {
                "id": number,
                "html_url": f"https://github.test/acme/shop/pull/7#issuecomment-{number}",
                "body": body,
                "user": {"login": author},
            }
        )
        return number

    def bodies(self) -> list[str]:
        """Give what the comments say."""
        return [comment["body"] for comment in self.comments]

    def answer(self, method: str, target: str, token: str, body: dict[str, str]) -> Refusal:
        """Do what was asked for."""
        self.calls.append(f"{method} {target}")
        if self.refusals and self.refusals[0].method in {"", method}:
            refusal = self.refusals.pop(0)
            if refusal.is_done:
                self._do(method, target, body)
            return refusal
        if token != f"Bearer {TOKEN}":
            return Refusal(401, {"message": "Bad credentials"})
        return self._do(method, target, body)

    def _do(self, method: str, target: str, body: dict[str, str]) -> Refusal:
        path = urlsplit(target).path
        author = self.user or BOT
        if path == "/user":
            return self._who()
        if LIST.fullmatch(path) and method == "GET":
            return self._page(target)
        if LIST.fullmatch(path) and method == "POST":
            number = self.add(author, body["body"])
            return Refusal(201, self.comments[number - 1])
        if (one := ONE.fullmatch(path)) and method == "PATCH":
            comment = self.comments[int(one.group(1)) - 1]
            if comment["user"]["login"] != author:
                return Refusal(403, {"message": "Must have admin rights to Repository."})
            comment["body"] = body["body"]
            return Refusal(200, comment)
        return Refusal(404, {"message": "Not Found"})

    def _who(self) -> Refusal:
        if self.user is None:
            return Refusal(403, {"message": "Resource not accessible by integration"})
        return Refusal(200, {"login": self.user})

    def _page(self, target: str) -> Refusal:
        query = parse_qs(urlsplit(target).query)
        size, page = int(query["per_page"][0]), int(query["page"][0])
        shown = self.comments[(page - 1) * size : page * size]
        more = page * size < len(self.comments)
        # Elsewhere on purpose: a client must not follow it with its token.
        link = {"Link": '<https://elsewhere.test/next>; rel="next"'} if more else {}
        return Refusal(200, {"list": shown}, link)


@contextmanager
def served(fake: FakeGitHub) -> Iterator[FakeGitHub]:
    """Serve it while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}")
            said = fake.answer(self.command, self.path, self.headers.get("Authorization", ""), body)
            data = json.dumps(said.body.get("list", said.body)).encode()
            self.send_response(said.status)
            for name, value in {**said.headers, "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = _answer  # noqa: N815 - the server's names

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
