"""The keys of tokens: public ones from a file that is looked at again, and a local stack's own.

    api_keys             JWK set (RFC 7517) of public keys, each with a `kid`; looked at again
    .likewave/           what a local stack makes for itself, once:
        api-key.json     its private key
        api-keys.json    its public key, as a set
        api-secret       what its cursors are signed with

To rotate keys, add the new one to the set, sign with it, and take the old one out once its last
token has expired.
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jwt
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm
from pydantic import SecretStr

from models.errors import SettingsError
from streams.settings import DATA_DIR
from streams.stamp import stamp_of

if TYPE_CHECKING:
    from pathlib import Path

    from streams.settings import Settings

ALGORITHMS = ("EdDSA", "ES256", "RS256")
SHORTEST_RSA = 2_048  # bits
LOCAL_KEY = "api-key.json"
LOCAL_KEYS = "api-keys.json"
LOCAL_SECRET = "api-secret"  # noqa: S105 - the name of a file

log = structlog.get_logger()


class Keys:
    """Gives the public keys that a file has at the moment.

    A file that cannot be used changes nothing: the last good keys stay, and the log says so.
    """

    def __init__(self, path: Path) -> None:
        """Read the file; raise SettingsError where it cannot be used."""
        self._path = path
        self._stamp = stamp_of(path)
        self._keys = read_keys(path)

    def current(self) -> dict[str, jwt.PyJWK]:
        """Give the keys by `kid`, as the file has them now; a new dict once it has changed."""
        stamp = stamp_of(self._path)
        if stamp != self._stamp:
            self._stamp = stamp
            self._read_again()
        return self._keys

    def _read_again(self) -> None:
        try:
            self._keys = read_keys(self._path)
        except SettingsError as error:
            log.warning("keys not taken over", reason=str(error))
        else:
            log.info("keys taken over", kids=sorted(self._keys))


def read_keys(path: Path) -> dict[str, jwt.PyJWK]:
    """Read a JWK set by `kid`; raise SettingsError where it has a key that must not be used."""
    try:
        listed = json.loads(path.read_bytes())["keys"]
        keys = {one["kid"]: jwt.PyJWK(one) for one in listed}
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}: name a JWK set of public keys") from error
    except (ValueError, KeyError, TypeError, jwt.PyJWTError) as error:
        raise SettingsError(
            f"{path} is not a JWK set whose keys each have kid, kty and their numbers ({error!r})"
        ) from error
    for kid, key in keys.items():
        _check(path, kid, key)
    if not keys:
        raise SettingsError(f"{path} has no keys: no token could be verified")
    return keys


def _check(path: Path, kid: str, key: jwt.PyJWK) -> None:
    """Refuse what could make a secret public or a public key a secret, and what is too weak."""
    if key.algorithm_name not in ALGORITHMS:
        allowed = ", ".join(ALGORITHMS)
        raise SettingsError(f"{path}: key {kid} is for {key.algorithm_name}, not one of {allowed}")
    if key.algorithm_name == "RS256" and key.key.key_size < SHORTEST_RSA:
        raise SettingsError(f"{path}: key {kid} has fewer than {SHORTEST_RSA} bits: make a longer")
    if hasattr(key.key, "private_bytes"):
        raise SettingsError(f"{path}: key {kid} is a private key: only public ones belong here")


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs tokens, as the sign-in service of a product would; there is one in a local stack."""

    key: jwt.PyJWK
    issuer: str
    audience: str

    def token(self, user: str, *, now: int, minutes: float, operator: bool = False) -> str:
        """Sign a token of `user` that is valid for `minutes` from `now` (Unix ms) on."""
        issued = now // 1_000
        claims = {
            "sub": user,
            "iss": self.issuer,
            "aud": self.audience,
            "iat": issued,
            "exp": issued + round(minutes * 60),
        }
        scope = {"scope": "operator"} if operator else {}
        headers = {"kid": self.key.key_id}
        return jwt.encode({**claims, **scope}, self.key, self.key.algorithm_name, headers)


def make_local(folder: Path = DATA_DIR) -> dict[str, Any]:
    """Make the key and the secret of a local stack, where they are not there yet.

    Gives the settings that they are: `api_keys` and `api_secret`.
    """
    private, public, secret = (folder / name for name in (LOCAL_KEY, LOCAL_KEYS, LOCAL_SECRET))
    if not private.exists() or not public.exists():
        made = OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate(), as_dict=True)
        known = {**made, "kid": secrets.token_hex(4), "alg": "EdDSA"}
        _write(private, json.dumps(known))
        _write(public, json.dumps({"keys": [{k: v for k, v in known.items() if k != "d"}]}))
    if not secret.exists():
        _write(secret, secrets.token_urlsafe(32))
    return {"api_keys": public.absolute(), "api_secret": SecretStr(secret.read_text())}


def _write(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


def local_signer(settings: Settings) -> Signer | None:
    """Give what signs the tokens of this folder's local stack; None where the keys are others."""
    path = DATA_DIR / LOCAL_KEY
    if settings.api_keys != (DATA_DIR / LOCAL_KEYS).absolute() or not path.exists():
        return None
    key = jwt.PyJWK(json.loads(path.read_bytes()))
    return Signer(key, settings.api_issuer, settings.api_audience)
