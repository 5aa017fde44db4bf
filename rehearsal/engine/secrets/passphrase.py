"""Secrets encrypted with a passphrase, exactly as the real engine's `passphrase` manager does.

Deriving a key costs a third of a second, so keys are kept in memory (never on disk) for as long
as the process lives; one salt per environment makes that cost a single one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from rehearsal.engine.errors import CommandFailedError

_ITERATIONS: Final = 1_000_000
_KEY_BYTES: Final = 32
_SALT_BYTES: Final = 8
_NONCE_BYTES: Final = 12
_PROOF: Final = "pulumi"

_keys: dict[tuple[bytes, bytes], bytes] = {}
# One thread derives a key; those of other stacks are derived beside it.
_turns: dict[tuple[bytes, bytes], threading.Lock] = {}


class Crypter:
    """Encrypts and decrypts texts with one key."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def encrypt(self, text: str) -> str:
        """Return `v1:NONCE:CIPHERTEXT`, different on each call."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, text.encode(), None)
        return f"v1:{_encode(nonce)}:{_encode(sealed)}"

    def decrypt(self, text: str) -> str:
        """Undo `encrypt`.

        Raises:
            CommandFailedError: the text was encrypted with another key, or is none.
        """
        version, _, rest = text.partition(":")
        nonce, _, sealed = rest.partition(":")
        if version != "v1":
            raise CommandFailedError("failed to decrypt a secret: unknown format")
        try:
            return self._cipher.decrypt(_decode(nonce), _decode(sealed), None).decode()
        except (InvalidTag, ValueError) as error:
            raise CommandFailedError("failed to decrypt a secret: wrong key or bad text") from error


def passphrase_of(environ: Mapping[str, str]) -> str:
    """Find the passphrase in the environment.

    Raises:
        CommandFailedError: there is none.
    """
    if (passphrase := environ.get("PULUMI_CONFIG_PASSPHRASE")) is not None:
        return passphrase
    if file := environ.get("PULUMI_CONFIG_PASSPHRASE_FILE"):
        try:
            return Path(file).expanduser().read_text(encoding="utf-8").strip()
        except OSError as error:
            raise CommandFailedError(f"cannot read the passphrase file: {error}") from error
    raise CommandFailedError(
        "passphrase must be set with PULUMI_CONFIG_PASSPHRASE"
        " or PULUMI_CONFIG_PASSPHRASE_FILE environment variables"
    )


def new_salt(passphrase: str) -> str:
    """Make the salt of a new stack: random bytes and a proof of the passphrase."""
    salt = os.urandom(_SALT_BYTES)
    proof = Crypter(_key(passphrase, salt)).encrypt(_PROOF)
    return f"v1:{_encode(salt)}:{proof}"


def unlock(salt: str, passphrase: str) -> Crypter:
    """Derive the key of a stack and check the passphrase against the salt's proof.

    Raises:
        CommandFailedError: the passphrase is another one.
    """
    parts = salt.split(":", 2)
    if len(parts) != 3 or parts[0] != "v1":  # noqa: PLR2004 (version, salt, proof)
        raise CommandFailedError("malformed encryption salt")
    try:
        crypter = Crypter(_key(passphrase, _decode(parts[1])))
        proven = crypter.decrypt(parts[2]) == _PROOF
    except (CommandFailedError, ValueError):
        proven = False
    if not proven:
        raise CommandFailedError("incorrect passphrase")
    return crypter


def _key(passphrase: str, salt: bytes) -> bytes:
    known = (hashlib.sha256(passphrase.encode()).digest(), salt)
    with _turns.setdefault(known, threading.Lock()):
        if known not in _keys:
            _keys[known] = hashlib.pbkdf2_hmac(
                "sha256", passphrase.encode(), salt, _ITERATIONS, _KEY_BYTES
            )
        return _keys[known]


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error
