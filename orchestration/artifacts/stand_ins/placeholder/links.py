"""What the service is linked to: looked at, and used as data flows."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from urllib.parse import quote

from .google import Google
from .log import MARK, log

Link = Mapping[str, str]
# What can go wrong with using a link: no answer, a refusal, an answer of another shape.
FAILURES = (OSError, RuntimeError, KeyError, ValueError)


def outcome(use: Callable[[], str]) -> dict[str, object]:
    """Use something; say what came of it."""
    try:
        return {"outcome": use(), "works": True}
    except FAILURES as error:
        return {"outcome": str(error) or repr(error), "works": False}


class Links:
    """What the service is linked to, and how each thing is used."""

    def __init__(self, service: str, links: Iterable[Link], google: Google) -> None:
        self.service = service
        self._links = tuple(links)
        self._google = google
        self._project = google.project

    def subscriptions(self) -> list[str]:
        """Name the subscriptions that it takes messages from."""
        return [link["name"] for link in self._links if link["kind"] == "subscriptions"]

    def looked_at(self) -> list[dict[str, object]]:
        """Look at everything that it is linked to; say of each what came of it."""
        return [{**link, **outcome(partial(self._look, link))} for link in self._links]

    def produce(self, data: bytes, path: list[str]) -> list[dict[str, object]]:
        """Give data to everything that it produces; nothing goes in circles."""
        if self.service in path:
            return []
        produced = [link for link in self._links if link["direction"] == "produces"]
        return [{**link, **outcome(partial(self._give, link, data, path))} for link in produced]

    def pull(self, subscription: str, *, waits: bool = True) -> int:
        """Take messages once, pass them on, acknowledge them; say how many there were."""
        name = f"projects/{self._project}/subscriptions/{subscription}"
        asked = {"maxMessages": 10, **({} if waits else {"returnImmediately": True})}
        body = json.dumps(asked).encode()
        pulled = self._google.call("POST", "pubsub", f"{name}:pull", body)
        received = pulled.get("receivedMessages", [])
        for item in received:
            message = item["message"]
            path = message.get("attributes", {}).get(MARK, "").split(",")
            done = self.produce(base64.b64decode(message.get("data", "")), path)
            log("INFO", "took a message", subscription=subscription, passed_on=done)
        if received:
            ids = json.dumps({"ackIds": [item["ackId"] for item in received]}).encode()
            self._google.call("POST", "pubsub", f"{name}:acknowledge", ids)
        return len(received)

    def publish(self, topic: str, data: bytes, path: Iterable[str] = ()) -> str:
        """Publish data, with the way that it has come."""
        way = ",".join([*filter(None, path), self.service])
        message = {"data": base64.b64encode(data).decode(), "attributes": {MARK: way}}
        body = json.dumps({"messages": [message]}).encode()
        self._google.call(
            "POST", "pubsub", f"projects/{self._project}/topics/{topic}:publish", body
        )
        return "published"

    def store(self, bucket: str, data: bytes) -> str:
        """Store data as an object of its own, and return its name."""
        place = f"{MARK}/{self.service}/{uuid.uuid4()}"
        upload = f"upload/storage/v1/b/{quote(bucket)}/o"
        query = f"uploadType=media&name={quote(place, safe='')}"
        self._google.call("POST", "storage", f"{upload}?{query}", data)
        return place

    def _look(self, link: Link) -> str:
        name = link["name"]
        match link["kind"]:
            case "topics" | "subscriptions" as kind:
                self._google.call("GET", "pubsub", f"projects/{self._project}/{kind}/{name}")
            case "gcs_buckets":
                self._google.call("GET", "storage", f"storage/v1/b/{quote(name)}/o?maxResults=1")
            case "bigquery_tables":
                dataset, _, table = name.partition(".")
                path = f"projects/{self._project}/datasets/{dataset}/tables/{table}"
                self._google.call("GET", "bigquery", path)
            case kind:
                return f"a placeholder does not look at {kind}"
        return "it is there"

    def _give(self, link: Link, data: bytes, path: Iterable[str]) -> str:
        match link["kind"]:
            case "topics":
                return self.publish(link["name"], data, path)
            case "gcs_buckets":
                return f"stored {self.store(link['name'], data)}"
            case _:
                return self._look(link)
