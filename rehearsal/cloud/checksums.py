"""CRC-32C (Castagnoli), the checksum that Google's APIs give and take."""

from __future__ import annotations

from typing import Final

# RFC 3720, appendix B.4: the polynomial, its bits reversed.
_POLYNOMIAL: Final = 0x82F63B78


def _table() -> tuple[int, ...]:
    entries = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
        entries.append(value)
    return tuple(entries)


_TABLE: Final = _table()


def crc32c(content: bytes) -> int:
    """Return the checksum of some bytes, between 0 and 2**32 - 1."""
    value = 0xFFFFFFFF
    for byte in content:
        value = value >> 8 ^ _TABLE[(value ^ byte) & 0xFF]
    return value ^ 0xFFFFFFFF
