"""Access tokens and identity tokens that the local cloud issues and recognises.

Access tokens are opaque to callers and signed, so that they survive a restart without a table.
Identity tokens are RS256 JWTs as Google's. A service account's tokens are worth nothing once it is
disabled or deleted, also where a new account has its name. Who may get which token is IAM's matter.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from rehearsal.cloud.calls import JsonObject
from rehearsal.cloud.errors import unauthenticated

if TYPE_CHECKING:
    # Importing it costs a tenth of a second; most rehearsals start without an identity token.
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

ISSUER: Final = "https://accounts.google.com"
LIFETIME_S: Final = 3600
_PREFIX: Final = "ya29.local."


class Accounts(Protocol):
    """What tokens need to know of the project's service accounts."""

    def account(self, email_or_unique_id: str) -> JsonObject | None:
        """Return an account's resource, or None where there is none."""

    def is_ours(self, email: str) -> bool:
        """Tell whether an email is that of an account of the project, there or not."""


class Tokens:
    """Issues tokens for principals; the keys live in the data folder."""

    def __init__(
        self, keys_dir: Path, accounts: Accounts, clock: Callable[[], float] = time.time
    ) -> None:
        keys_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._keys_dir = keys_dir
        self._accounts = accounts
        self._clock = clock
        self._secret = _kept(keys_dir / "access-tokens.key", lambda: secrets.token_bytes(32))
        self._key: RSAPrivateKey | None = None

    def access_token(self, principal: str, *, lifetime_s: float | None = None) -> str:
        """Return a token that names the principal; without a lifetime it never expires."""
        claims: JsonObject = {"principal": principal}
        account = self._account(principal)
        if account is not None:
            claims["account"] = account["uniqueId"]
        if lifetime_s is not None:
            claims["expires_at"] = self._clock() + lifetime_s
            claims["nonce"] = secrets.token_hex(4)
        payload = _encoded(json.dumps(claims, sort_keys=True).encode())
        return f"{_PREFIX}{payload}.{self._signature(payload)}"

    def principal_of(self, token: str) -> str | None:
        """Tell whom an access token names; None when it is not ours, or is worth nothing now."""
        payload, _, signature = token.removeprefix(_PREFIX).partition(".")
        if not token.startswith(_PREFIX) or not hmac.compare_digest(
            signature.encode(), self._signature(payload).encode()
        ):
            return None
        claims = json.loads(_decoded(payload))
        if claims.get("expires_at", float("inf")) <= self._clock():
            return None
        principal = str(claims["principal"])
        return principal if self.is_active(principal, claims.get("account")) else None

    def is_active(self, principal: str, unique_id: str | None = None) -> bool:
        """Tell whether somebody may call at all.

        Args:
            principal: Who.
            unique_id: Which service account of that name, where it is known.
        """
        kind, _, email = principal.partition(":")
        if kind != "serviceAccount" or not self._accounts.is_ours(email):
            return True
        account = self._accounts.account(email)
        return (
            account is not None
            and not account.get("disabled")
            and unique_id in (None, account["uniqueId"])
        )

    def identity_token(self, email: str, audience: str, *, tells_email: bool = True) -> str:
        """Return a signed identity token of an account for one audience."""
        import jwt  # noqa: PLC0415 - see RSAPrivateKey above

        now = int(self._clock())
        account = self._accounts.account(email)
        # Nothing but the project's own accounts has an id that is written down anywhere.
        subject = account["uniqueId"] if account else _unique_id_of(email)
        claims: JsonObject = {
            "iss": ISSUER,
            "aud": audience,
            "azp": subject,
            "sub": subject,
            "iat": now,
            "exp": now + LIFETIME_S,
        }
        if tells_email:
            claims |= {"email": email, "email_verified": True}
        return jwt.encode(claims, self._signing_key(), "RS256", headers={"kid": self._key_id()})

    def verify_identity_token(self, token: str, *, audience: str | None = None) -> JsonObject:
        """Return the claims of one of our identity tokens; `email` also where it tells none.

        Raises:
            ApiError: 401; forged, expired, for another audience, or its account is gone.
        """
        import jwt  # noqa: PLC0415 - see RSAPrivateKey above

        try:
            claims: JsonObject = jwt.decode(
                token,
                self._signing_key().public_key(),
                ["RS256"],
                issuer=ISSUER,
                audience=audience,
                options={
                    "verify_aud": audience is not None,
                    "verify_exp": False,
                    "verify_iat": False,
                },
            )
        except jwt.InvalidTokenError as error:
            raise unauthenticated(f"Invalid identity token: {error}.") from error
        if claims.get("exp", 0) <= self._clock():
            raise unauthenticated("Invalid identity token: it has expired.")
        account = self._accounts.account(claims["sub"])
        email = account["email"] if account else claims.get("email")
        if email is None or not self.is_active(f"serviceAccount:{email}", claims["sub"]):
            raise unauthenticated("Invalid identity token: its account is gone or disabled.")
        return claims | {"email": email}

    def jwks(self) -> JsonObject:
        """The public key, as Google serves its own under `/oauth2/v3/certs`."""
        numbers = self._signing_key().public_key().public_numbers()
        return {
            "keys": [
                {
                    "kty": "RSA",
                    "alg": "RS256",
                    "use": "sig",
                    "kid": self._key_id(),
                    "n": _encoded(numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8)),
                    "e": _encoded(numbers.e.to_bytes(3)),
                }
            ]
        }

    def _account(self, principal: str) -> JsonObject | None:
        kind, _, email = principal.partition(":")
        return self._accounts.account(email) if kind == "serviceAccount" else None

    def _signature(self, payload: str) -> str:
        return _encoded(hmac.digest(self._secret, payload.encode(), "sha256"))

    def _signing_key(self) -> RSAPrivateKey:
        if self._key is None:
            from cryptography.hazmat.primitives.asymmetric.rsa import (  # noqa: PLC0415 - see above
                RSAPrivateKey,
            )
            from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
                load_pem_private_key,
            )

            pem = _kept(self._keys_dir / "identity-tokens.pem", _new_signing_key)
            key = load_pem_private_key(pem, None)
            assert isinstance(key, RSAPrivateKey)
            self._key = key
        return self._key

    def _key_id(self) -> str:
        modulus = self._signing_key().public_key().public_numbers().n
        return hashlib.sha256(str(modulus).encode()).hexdigest()[:40]


def _unique_id_of(email: str) -> str:
    return str(int(hashlib.sha256(email.encode()).hexdigest()[:16], 16))


def _new_signing_key() -> bytes:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - see above
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415

    return rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _kept(path: Path, make: Callable[[], bytes]) -> bytes:
    """Return the key in the file, made on first use and never half written."""
    if not path.exists():
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_bytes(make())
        draft.replace(path)
    return path.read_bytes()


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        return b"{}"
