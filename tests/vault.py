"""Servers that are spoken to with TLS and passwords, and the certificates for it."""

from __future__ import annotations

import datetime as dt
import ipaddress
import shutil
import socket
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from models.errors import StackError
from streams.clock import now_ms
from streams.local import METADATA_ANSWER, METADATA_REQUEST, Broker, Store
from streams.server import HOST, exchange, free_port

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

USER, PASSWORD = "likewave", "s3cret"
DAY = dt.timedelta(days=1)


class Authority:
    """An authority of its own, whose files lie in `folder`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, folder.name)])
        certificate = self._signed(self._name, self._key, x509.BasicConstraints(True, None))
        self.file = folder / "ca.pem"
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, *, days: int = 1) -> tuple[Path, Path]:
        """Give files of a certificate for this machine and of its key; `days` may be past."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))])
        certificate = self._signed(subject, key, here, days=days)
        files = self._folder / f"{name}.pem", self._folder / f"{name}-key.pem"
        files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        files[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return files

    def _signed(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        extension: x509.ExtensionType,
        *,
        days: int = 1,
    ) -> x509.Certificate:
        now = dt.datetime.fromtimestamp(now_ms() / 1000, dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 9 * DAY)
            .not_valid_after(now + days * DAY)
            .add_extension(extension, critical=False)
        )
        return builder.sign(self._key, hashes.SHA256())


class SecureBroker(Broker):
    """A Kafka that is spoken to with TLS: by password, or at `mutual` by certificate."""

    def __init__(self, data_dir: Path, authority: Authority) -> None:
        super().__init__(data_dir)
        self._ca = authority.file
        certificate, key = authority.issue("broker")
        self._chain = certificate.with_name("broker-chain.pem")
        self._chain.write_bytes(key.read_bytes() + certificate.read_bytes())
        self.open_port = free_port()
        self.mutual = f"{HOST}:{free_port()}"

    def properties(self) -> str:
        """Add the two secure listeners to a broker's usual one."""
        listeners = (
            f"SASL_SSL://{self.address},SSL://{self.mutual},PLAINTEXT://{HOST}:{self.open_port}"
        )
        module = "org.apache.kafka.common.security"
        return (
            (
                super()
                .properties()
                .replace(f"PLAINTEXT://{self.address}", listeners)
                .replace("PLAINTEXT:PLAINTEXT,", "PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL,")
            )
            + f"""\
ssl.keystore.type=PEM
ssl.keystore.location={self._chain}
ssl.truststore.type=PEM
ssl.truststore.location={self._ca}
listener.name.ssl.ssl.client.auth=required
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:CN=client
sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config={module}.scram.ScramLoginModule required;
listener.name.sasl_ssl.plain.sasl.jaas.config={module}.plain.PlainLoginModule required \
user_{USER}="{PASSWORD}";
"""
        )

    def _run(self, main_class: str, *arguments: str) -> list[str]:
        user = ("--add-scram", f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]")
        return super()._run(main_class, *arguments, *(user if "format" in arguments else ()))

    def answers(self) -> bool:
        """Ask where no TLS is in the way."""
        answer = exchange(self.open_port, METADATA_REQUEST, METADATA_ANSWER.size)
        return len(answer) == METADATA_ANSWER.size and METADATA_ANSWER.unpack(answer)[2] > 0


class SecureStore(Store):
    """Debian's Redis with TLS; `certificate` and key are its own."""

    def __init__(
        self, data_dir: Path, authority: Authority, certificate: tuple[Path, Path]
    ) -> None:
        super().__init__(data_dir)
        self._ca = authority.file
        self._certificate = certificate

    @property
    def url(self) -> str:
        """The URL for Redis clients."""
        return f"rediss://{self.address}/0"

    def command(self) -> Sequence[str]:
        """Give the command: the usual options, another binary, and TLS alone."""
        program = shutil.which("redis-server")
        if program is None:
            raise StackError("a store with TLS needs Debian's redis-server")
        options = {
            "port": "0",
            "tls-port": str(self.port),
            "tls-ca-cert-file": str(self._ca),
            "tls-cert-file": str(self._certificate[0]),
            "tls-key-file": str(self._certificate[1]),
            "tls-auth-clients": "yes",
        }
        words = (word for name, value in options.items() for word in (f"--{name}", value))
        return [program, *super().command()[1:], *words]

    def answers(self) -> bool:
        """Tell whether it listens: a PING needs a certificate."""
        with socket.create_connection((HOST, self.port), timeout=1):
            return True
