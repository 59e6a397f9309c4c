"""A certificate authority of this installation, for the telephones on the same network, and nothing else.

It may sign for private addresses and names ending in `.local` alone: a telephone that trusts it trusts it
for nothing on the internet, also if its key is stolen. It is made once; server certificates under it are made
anew when they run out or when this machine gets another address.
"""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from localservers.folders import write_private

Key: TypeAlias = ec.EllipticCurvePrivateKey

_AUTHORITY_LIVES: Final = timedelta(days=3650)
_SERVER_LIVES: Final = timedelta(days=397)  # iOS takes none that is good for longer
_RENEW_BEFORE: Final = timedelta(days=30)
_SKEW: Final = timedelta(days=1)  # the clock of a telephone may be behind
_PRIVATE: Final = (
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8",
    "fc00::/7", "fe80::/10", "::1/128",
)  # fmt: skip
_ELSEWHERE: Final = ("192.0.2.1", 9)  # an address for documentation; nothing is sent to it


@dataclass(frozen=True, slots=True)
class Names:
    """Where telephones find this machine: its addresses on the local network, and its names."""

    addresses: tuple[str, ...]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Certificates:
    """Files in PEM: the authority's certificate, the server's with its chain, and the server's key."""

    authority: Path
    server: Path
    key: Path

    def authority_der(self) -> bytes:
        """What a telephone installs: the certificate alone."""
        return _load(self.authority).public_bytes(serialization.Encoding.DER)

    def fingerprint(self) -> str:
        """SHA-256 of the authority's certificate, as telephones show it."""
        return _load(self.authority).fingerprint(hashes.SHA256()).hex(":").upper()


def names_here(named: str | None = None) -> Names:
    """This machine's private addresses, the one that leads outside first, and its name on the network.

    named  the address to use where this machine is on several networks
    """
    found = [_leading_outside(), *_addresses_of(socket.gethostname())]
    private = [named] if named else [each for each in found if each and _is_private(each)]
    host = socket.gethostname().partition(".")[0].lower()
    return Names(tuple(dict.fromkeys(private)), (f"{host}.local", "localhost"))


def _leading_outside() -> str | None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect(_ELSEWHERE)
        except OSError:
            return None
        address: str = asking.getsockname()[0]
        return address


def _addresses_of(host: str) -> list[str]:
    try:
        return [str(each[4][0]) for each in socket.getaddrinfo(host, None, socket.AF_INET)]
    except OSError:
        return []


def _is_private(address: str) -> bool:
    each = ipaddress.ip_address(address)
    networks = (ipaddress.ip_network(network) for network in _PRIVATE)
    return not each.is_loopback and any(each in network for network in networks)


def ensure(folder: Path, here: Names, now: datetime) -> Certificates:
    """The certificates in `folder`, made where they are missing, run out, or are for other names.

    A new authority is made only when the old one runs out within a year: telephones have to trust it anew.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = Certificates(folder / "authority.pem", folder / "server.pem", folder / "server.key")
    signing = folder / "authority.key"
    if not (made.authority.exists() and signing.exists()) or _runs_out(made.authority, now, _SERVER_LIVES):
        _make_authority(made.authority, signing, now)
    if not (made.server.exists() and made.key.exists()) or not _is_good(made, here, now):
        _make_server(made, signing, here, now)
    return made


def _runs_out(certificate: Path, now: datetime, within: timedelta) -> bool:
    return _load(certificate).not_valid_after_utc < now + within


def _is_good(made: Certificates, here: Names, now: datetime) -> bool:
    server, authority = _load(made.server), _load(made.authority)
    named = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    if list(named) != _alternatives(here) or _runs_out(made.server, now, _RENEW_BEFORE):
        return False
    issued = server.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    own = x509.SubjectKeyIdentifier.from_public_key(authority.public_key())
    return issued.key_identifier == own.digest


def _make_authority(certificate: Path, signing: Path, now: datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _called(f"Aftercare on {socket.gethostname()} ({now:%Y-%m-%d})"[:64])
    permitted: list[x509.GeneralName] = [x509.IPAddress(ipaddress.ip_network(each)) for each in _PRIVATE]
    permitted += [x509.DNSName("local"), x509.DNSName("localhost")]
    made = (
        _begun(name, name, key, now, _AUTHORITY_LIVES)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.NameConstraints(permitted, None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _keep_key(signing, key)
    write_private(certificate, _pem(made), 0o644)


def _make_server(made: Certificates, signing: Path, here: Names, now: datetime) -> None:
    authority = _load(made.authority)
    signer = serialization.load_pem_private_key(signing.read_bytes(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.SubjectKeyIdentifier.from_public_key(authority.public_key())
    server = (
        _begun(_called("Aftercare"), authority.subject, key, now, _SERVER_LIVES)
        .add_extension(x509.SubjectAlternativeName(_alternatives(here)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer), critical=False)
        .sign(signer, hashes.SHA256())
    )
    _keep_key(made.key, key)
    write_private(made.server, _pem(server) + _pem(authority), 0o644)


def _begun(
    subject: x509.Name, issuer: x509.Name, key: Key, now: datetime, lives: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now - _SKEW + lives)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs, key_cert_sign=signs, crl_sign=signs, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False,
        decipher_only=False,
    )  # fmt: skip


def _alternatives(here: Names) -> list[x509.GeneralName]:
    addresses = dict.fromkeys((*here.addresses, "127.0.0.1"))
    own: list[x509.GeneralName] = [x509.IPAddress(ipaddress.ip_address(each)) for each in addresses]
    return own + [x509.DNSName(each) for each in here.names]


def _called(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _keep_key(path: Path, key: Key) -> None:
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_private(path, text.decode())


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _load(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def url_of(here: Names, port: int) -> str:
    """The address that telephones are given."""
    return f"https://{here.addresses[0]}:{port}"
