"""Real sockets that answer with given bytes, plain or encrypted, and certificates that are right or wrong."""

from __future__ import annotations

import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


class Server:
    """Answers every connection with ``answer``, and keeps what it heard."""

    def __init__(self, host: str, answer: bytes = OK, *, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.answer, self.tls = answer, tls
        self.connections = 0
        self.heard: list[bytes] = []
        self.socket = socket.create_server((host, port))
        self.port = int(self.socket.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            try:
                with self.tls.wrap_socket(connection, server_side=True) if self.tls else connection as open_one:
                    self.heard.append(open_one.recv(65536))
                    open_one.sendall(self.answer)
            except OSError:
                connection.close()  # the caller did not want us

    def close(self) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


class Certificates:
    """An authority, and certificates whose names say what is wrong with them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.key, self.stranger = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        self.authority = directory / "authority.pem"
        self.authority.write_bytes(self._pem(self._make("Tests", self.key.public_key(), "Tests", self.key, ca=True)))

    def of(self, name: str) -> ssl.SSLContext | None:
        kind, now = name.partition(".")[0], datetime.now(UTC)
        if kind == "plain":
            return None
        begins, ends = now - timedelta(days=2), now + timedelta(days=2)
        begins, ends = {
            "expired": (begins, now - timedelta(days=1)), "early": (now + timedelta(days=1), ends)
        }.get(kind, (begins, ends))  # fmt: skip
        own = ec.generate_private_key(ec.SECP256R1())
        issuer, signer = {"selfsigned": (name, own), "unknown": ("Strangers", self.stranger)}.get(
            kind, ("Tests", self.key)
        )
        host = "another.example.com" if kind == "other" else name
        certificate = self._make(host, own.public_key(), issuer, signer, begins=begins, ends=ends)
        path = self.directory / f"{name}.pem"
        secret = own.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path.write_bytes(secret + self._pem(certificate))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    @staticmethod
    def _pem(certificate: x509.Certificate) -> bytes:
        return certificate.public_bytes(serialization.Encoding.PEM)

    @staticmethod
    def _make(
        name: str, key: ec.EllipticCurvePublicKey, issuer: str, signer: ec.EllipticCurvePrivateKey, *, ca: bool = False,
        begins: datetime | None = None, ends: datetime | None = None,
    ) -> x509.Certificate:  # fmt: skip
        now = datetime.now(UTC)

        def called(text: str) -> x509.Name:
            return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

        builder = x509.CertificateBuilder().subject_name(called(name)).issuer_name(called(issuer)).public_key(key)
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(begins or now - timedelta(days=1))
        builder = builder.not_valid_after(ends or now + timedelta(days=1))
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        issued_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
        builder = builder.add_extension(issued_by, critical=False)
        if not ca:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        return builder.sign(signer, hashes.SHA256())
