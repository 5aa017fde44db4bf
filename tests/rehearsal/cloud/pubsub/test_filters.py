"""The filter language of subscriptions."""

from __future__ import annotations

import pytest

from rehearsal.cloud.pubsub.filters import FilterError, compile_filter

ATTRIBUTES = {"kind": "order", "region": "europe-west1", "odd key": "1"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "attributes:kind",
        'attributes.kind = "order"',
        'attributes."odd key"="1"',
        'attributes.kind != "invoice"',
        'attributes.missing != "x"',
        'hasPrefix(attributes.region, "europe-")',
        "NOT attributes:missing",
        "-attributes:missing",
        'attributes:kind AND hasPrefix(attributes.region, "eu")',
        'attributes.kind = "invoice" OR attributes:region',
        '(attributes.kind = "invoice" OR attributes:region) AND NOT attributes:missing',
        'NOT (attributes.kind = "invoice" OR attributes:missing)',
    ],
)
def test_a_filter_matches_attributes(text: str) -> None:
    """Each form of the language accepts what it describes."""
    assert compile_filter(text)(ATTRIBUTES)


@pytest.mark.parametrize(
    "text",
    [
        "attributes:missing",
        'attributes.kind = "Order"',
        'attributes.kind != "order"',
        'hasPrefix(attributes.region, "us-")',
        'hasPrefix(attributes.missing, "")',
        "NOT attributes:kind",
        'attributes:kind AND attributes.kind = "invoice"',
    ],
)
def test_a_filter_leaves_other_messages_out(text: str) -> None:
    """Each form of the language refuses what it does not describe."""
    assert not compile_filter(text)(ATTRIBUTES)


@pytest.mark.parametrize(
    "text",
    [
        "attributes.k == v(",
        "attributes.kind = order",
        'attributes.kind = "order',
        "attributes:kind AND",
        "attributes:kind attributes:region",
        "attributes:a AND attributes:b OR attributes:c",
        "(attributes:kind",
        'data = "x"',
        'hasPrefix(attributes.kind "x")',
        'attributes.kind = "' + "x" * 256 + '"',
        "attributes:AND",
    ],
)
def test_an_invalid_filter_is_refused(text: str) -> None:
    """What is no filter is an error, never a filter that lets everything through."""
    with pytest.raises(FilterError):
        compile_filter(text)
