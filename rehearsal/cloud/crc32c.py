"""CRC32C (Castagnoli), which Cloud Storage and Secret Manager tell of content; Python has none.

Long content is folded: its first half, times a power of x, is added into the second half, so that
big-integer arithmetic does the work instead of a loop over bytes. See Gopal et al., "Fast CRC
Computation for Generic Polynomials Using PCLMULQDQ Instruction", Intel 2009.
"""

from __future__ import annotations

import base64
from typing import Final

# The polynomial, its highest power in the lowest bit (0x1EDC6F41 reversed).
_POLYNOMIAL: Final = 0x82F63B78
_ONES: Final = 0xFFFFFFFF
_BITS: Final = 32
# Shorter content is not worth folding.
_SHORT_BITS: Final = 2048


def crc32c(data: bytes, before: int = 0) -> int:
    """Return the checksum of data; `before` is that of what came before it."""
    state = before ^ _ONES
    if len(data) * 8 < _SHORT_BITS:
        return _over_bytes(data, state) ^ _ONES
    # Bit 0 is the highest power of the polynomial that the content stands for.
    bits, length = int.from_bytes(data, "little") ^ state, len(data) * 8
    while length >= _SHORT_BITS:
        folded = (length - _BITS) // 16 * 8
        first, bits = bits & ((1 << folded) - 1), bits >> folded
        length -= folded
        # `first` is as much as its product with x**length, which is as long as 31 bits more.
        bits ^= _product(first, _power_of_x(length)) << (length - folded - _BITS + 1)
    return _over_bytes(bits.to_bytes(length // 8, "little"), 0) ^ _ONES


def encoded(checksum: int) -> str:
    """Return a checksum as Cloud Storage writes it: big-endian, in base64."""
    return base64.b64encode(checksum.to_bytes(4, "big")).decode()


def _table() -> tuple[int, ...]:
    rows = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
        rows.append(value)
    return tuple(rows)


_TABLE: Final = _table()


def _over_bytes(data: bytes, state: int) -> int:
    for byte in data:
        state = state >> 8 ^ _TABLE[(state ^ byte) & 0xFF]
    return state


def _product(long: int, short: int) -> int:
    """Multiply polynomials without carries."""
    product = 0
    while short:
        lowest = short & -short
        product ^= long << (lowest.bit_length() - 1)
        short ^= lowest
    return product


def _power_of_x(exponent: int) -> int:
    """Return x to a power, modulo the polynomial."""
    power = 1 << (_BITS - 1)
    for bit in f"{exponent:b}":
        power = _reduced(_product(power, power), 2 * _BITS - 1)
        if bit == "1":
            # Times x.
            power = power >> 1 ^ (_POLYNOMIAL if power & 1 else 0)
    return power


def _reduced(polynomial: int, length: int) -> int:
    for _ in range(length - _BITS):
        polynomial = polynomial >> 1 ^ (_POLYNOMIAL if polynomial & 1 else 0)
    return polynomial
