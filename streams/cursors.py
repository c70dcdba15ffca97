"""Cursors of pages, sealed: what comes back is what was given, and to the same user.

<cursor of models.cursor>.<HMAC of it and the user, SHA-256>
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from itsdangerous import Signer

from models.errors import CursorError, SettingsError

if TYPE_CHECKING:
    from streams.settings import Settings


class Seal:
    """Seals cursors with the secret of a deployment."""

    def __init__(self, settings: Settings) -> None:
        """Take the secret; raise SettingsError where there is none."""
        if settings.api_secret is None:
            raise SettingsError(
                "LIKEWAVE_API_SECRET is not set, so cursors could not be signed: give 32 or more "
                "random characters, the same to every process of the API"
            )
        self._secret = settings.api_secret.get_secret_value()

    def seal(self, cursor: str, user: str) -> str:
        """Seal a cursor of `user`."""
        return self._signer(user).sign(cursor).decode()

    def opened(self, sealed: str, user: str) -> str:
        """Give the cursor back; raise CursorError where it is not exactly what was given."""
        cursor = sealed.rpartition(".")[0]
        # Sealed anew and compared as text: base64 has several spellings of the same signature.
        if not sealed.isascii() or not hmac.compare_digest(self.seal(cursor, user), sealed):
            raise CursorError("this cursor was changed, cut, or another's: start at the first page")
        return cursor

    def _signer(self, user: str) -> Signer:
        return Signer(
            self._secret, salt=f"cursor|{user}", key_derivation="hmac", digest_method=hashlib.sha256
        )
