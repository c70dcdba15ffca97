"""Who calls: the subject of a bearer token, and nobody else.

A token is a JWT (RFC 7519) signed by a key of the key set, under the algorithm of that key, with
`exp`, `aud`, `iss` and a `sub` that is an id; `scope` may hold `operator`. The page of a browser
has the same token in a cookie that scripts cannot read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import jwt

from models.errors import AccessError, SettingsError
from models.events import ID_PATTERN, LATEST
from streams.clock import now_ms
from streams.keys import ALGORITHMS, Keys

if TYPE_CHECKING:
    from streams.settings import Settings

LONGEST_TOKEN = 3_800  # characters: a browser's cookie holds no more than 4,096
REQUIRED = ("exp", "aud", "iss", "sub")
OPERATOR = "operator"
AGAIN = "sign in again"
EXPIRED = f"the token has expired: {AGAIN}"
REMEMBERED = 4_096  # tokens, so that a caller's next request costs no signature: 16 MB at most


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a request is from, until when they are believed (Unix ms)."""

    user: str
    is_operator: bool
    expires_at: int
    since: int | None = None  # when the account was made (Unix ms), where the token says so


class Access:
    """Reads tokens."""

    def __init__(self, settings: Settings) -> None:
        """Read the key set; raise SettingsError where there is none that can be used."""
        if settings.api_keys is None:
            raise SettingsError(
                "LIKEWAVE_API_KEYS names no key set, so no token could be verified: name the file "
                "of your sign-in service's public keys, or run `likewave up`, which makes a key"
            )
        self._keys = Keys(settings.api_keys)
        self._trusted = self._keys.current()
        self._issuer = settings.api_issuer
        self._audience = settings.api_audience
        self._verified = lru_cache(REMEMBERED)(self._verify)

    def caller(self, token: str) -> Caller:
        """Say whose `token` is; raise AccessError where it is none that is valid now."""
        if len(token) > LONGEST_TOKEN:
            raise AccessError(f"the token is longer than {LONGEST_TOKEN} characters")
        if (keys := self._keys.current()) is not self._trusted:
            self._trusted = keys
            self._verified.cache_clear()
        known = self._verified(token)
        if known.expires_at <= now_ms():
            raise AccessError(EXPIRED)
        return known

    def _verify(self, token: str) -> Caller:
        try:
            claims = self._claims(token)
        except jwt.ExpiredSignatureError as error:
            raise AccessError(EXPIRED) from error
        except (jwt.PyJWTError, ValueError, OverflowError, RecursionError) as error:
            raise AccessError(f"the token is not valid here: {AGAIN}") from error
        user, expires = claims["sub"], claims["exp"]
        if not re.match(ID_PATTERN, user):
            raise AccessError("the subject of the token is no id")
        scopes = str(claims.get("scope", "")).split()
        expires_at = int(expires) * 1_000
        if expires_at >= LATEST:
            raise AccessError("the claim `exp` of the token is no moment in Unix seconds")
        return Caller(user, OPERATOR in scopes, expires_at, _since(claims.get("since")))

    def _claims(self, token: str) -> dict[str, Any]:
        kid = jwt.get_unverified_header(token).get("kid")
        if not isinstance(kid, str) or kid not in self._trusted:
            raise jwt.InvalidKeyError
        return jwt.decode(
            token,
            self._trusted[kid],
            algorithms=ALGORITHMS,  # and of these only the key's own
            audience=self._audience,
            issuer=self._issuer,
            options={"require": list(REQUIRED), "verify_iat": False},
        )


def _since(claim: object) -> int | None:
    """Read when an account was made; raise AccessError where the token says it in no such way."""
    if claim is None or (type(claim) is int and 0 < claim < LATEST):
        return claim
    raise AccessError("the claim `since` of the token is no moment in Unix ms")
