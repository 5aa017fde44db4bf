"""CRC32C, against Google's own implementation."""

from __future__ import annotations

import google_crc32c
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.cloud.crc32c import crc32c, encoded


@given(st.binary(max_size=900), st.integers(0, 5000))
def test_it_is_that_of_google(piece: bytes, length: int) -> None:
    """Whatever the length, whether folded or not."""
    data = (piece * (length // max(1, len(piece)) + 1))[:length]
    assert crc32c(data) == google_crc32c.value(data)


@given(st.binary(max_size=2000), st.binary(max_size=2000))
def test_it_goes_on_where_it_ended(first: bytes, second: bytes) -> None:
    """Content comes in pieces."""
    assert crc32c(second, crc32c(first)) == crc32c(first + second)


def test_it_is_written_as_cloud_storage_does() -> None:
    """The documentation's example for the standard check value."""
    assert encoded(crc32c(b"123456789")) == "4waSgw=="
