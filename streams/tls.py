"""TLS: the certificates that connections are made with, and what their errors mean for a person."""

from __future__ import annotations

import ssl
from asyncio import IncompleteReadError
from typing import TYPE_CHECKING

from models.errors import SettingsError
from streams.settings import PREFIX, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

TLS_ALERT = 0x15  # first byte of what a server says to whoever does not speak TLS
WRONG_PROTOCOL = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "UNEXPECTED_EOF_WHILE_READING")


def context_of(settings: Settings, server: str) -> ssl.SSLContext:
    """Make the TLS context for `server` (kafka or redis) of its CA, certificate and key files.

    Raises SettingsError that names the variable of a file that cannot be used.
    """
    authorities, certificate, key = (
        getattr(settings, f"{server}_{file}_file") for file in ("ca", "cert", "key")
    )
    named = f"{PREFIX}{server.upper()}"
    try:
        context = ssl.create_default_context(cafile=authorities)
    except (OSError, ssl.SSLError) as error:
        raise _unusable(f"{named}_CA_FILE", authorities, error) from error
    if certificate is not None:
        try:
            context.load_cert_chain(certificate, key)
        except (OSError, ssl.SSLError) as error:
            names = f"{named}_CERT_FILE, {named}_KEY_FILE"
            raise _unusable(names, f"{certificate}, {key}", error) from error
    return context


def _unusable(name: str, path: object, error: Exception) -> SettingsError:
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
    return SettingsError(f"{name}: {path} cannot be used ({reason}): give PEM files")


def is_encrypted(settings: Settings, server: str) -> bool:
    """Tell whether `server` (kafka or redis) is spoken to with TLS."""
    if server == "kafka":
        return settings.kafka_security.has_tls
    return settings.redis.startswith("rediss://")


def explain(error: BaseException, settings: Settings, server: str) -> str | None:
    """Say what is wrong with the TLS of `server` (kafka or redis); None where it is something else.

    >>> explain(ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER]"), Settings(), "kafka")
    'does not speak TLS there: mend port or LIKEWAVE_KAFKA_SECURITY'
    """
    named = f"{PREFIX}{server.upper()}"
    speech = f"{named}_SECURITY" if server == "kafka" else named
    for cause in _causes(error):
        match cause:
            case ssl.SSLCertVerificationError():
                return _unverified(cause, f"{named}_CA_FILE")
            case ssl.SSLError() if any(one in str(cause) for one in WRONG_PROTOCOL):
                return f"does not speak TLS there: mend port or {speech}"
            case ssl.SSLError():
                names = f"{named}_CERT_FILE and {named}_KEY_FILE"
                return f"refuses our certificate ({cause.reason}): mend {names}"
            case ConnectionResetError():
                return _closed(settings, server, speech)
            case IncompleteReadError(expected=int(size)) if size >> 24 == TLS_ALERT:
                return f"speaks TLS there: mend port or {speech}"
    return None


def _closed(settings: Settings, server: str, speech: str) -> str | None:
    named = f"{PREFIX}{server.upper()}"
    closes = "closes the connection: try again, it may just have ended or be starting"
    if is_encrypted(settings, server):
        return (
            f"{closes}; else mend port or {speech} where it speaks no TLS there, "
            f"{named}_CERT_FILE where it wants our certificate"
        )
    if server == "redis":
        return f"{closes}; where it wants TLS, {named} begins with rediss://"
    return None


def _unverified(error: ssl.SSLCertVerificationError, setting: str) -> str:
    reason = error.verify_message
    if "expired" in reason:
        return "has a certificate that has expired: renew it on the server"
    if "not valid for" in reason or "mismatch" in reason.lower():
        return f"has a certificate of another name ({reason}): name the server as it does"
    return f"has a certificate that is not trusted ({reason}): mend {setting}"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
