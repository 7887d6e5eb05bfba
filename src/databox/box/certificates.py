"""The box's own certificate authority, which only sandboxes trust, and the leaves it signs.

The key is one; the authority's certificate is made anew for each sandbox and permits only the names
which that sandbox may reach. So even the stolen key could not pass for anybody else in there.

Source: RFC 5280, 4.2.1.10 (name constraints).
"""

import datetime
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_NAME = "Databox"
AUTHORITY_DAYS, LEAF_DAYS = 3650, 397
_DAY = datetime.timedelta(days=1)
_ALL_ADDRESSES = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))


@dataclass(frozen=True, slots=True)
class Leaf:
    """What one component shows. All PEM; `private` is PKCS 8."""

    private: bytes
    public: bytes
    certificate: bytes

    @property
    def together(self) -> bytes:
        """Key and certificate in one file, as servers of many kinds read it."""
        return self.private + self.public + self.certificate


class Authority:
    """Signs by one P-256 key. `now`: the time of day, for validity."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, AUTHORITY_NAME)])

    @classmethod
    def new(cls) -> "Authority":
        """An authority with a fresh key."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def load(cls, key: bytes) -> "Authority":
        """The authority whose key `dump` gave."""
        loaded = serialization.load_der_private_key(key, None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)
        return cls(loaded)

    def dump(self) -> bytes:
        """The key, to be wrapped."""
        return self._key.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    def certificate(self, now: datetime.datetime, names: Iterable[str] = ()) -> bytes:
        """The authority's certificate as PEM, good for `names` alone; none named: for all names.

        No version of it is good for an IP address.
        """
        permitted = [x509.DNSName(name) for name in names] or None
        constraints = x509.NameConstraints(permitted, [x509.IPAddress(a) for a in _ALL_ADDRESSES])
        builder = (
            self._builder(self._name, self._key.public_key(), now, AUTHORITY_DAYS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(constraints, critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False
            )
        )
        return self._sign(builder)

    def leaf(self, name: str, now: datetime.datetime) -> Leaf:
        """A key and certificate for the component `name`, also good for `localhost`."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        names = x509.SubjectAlternativeName([x509.DNSName(name), x509.DNSName("localhost")])
        uses = x509.ExtendedKeyUsage(
            [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        )
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = (
            self._builder(subject, key.public_key(), now, LEAF_DAYS)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(names, critical=False)
            .add_extension(uses, critical=False)
            .add_extension(issuer, critical=False)
        )
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return Leaf(private, public, self._sign(builder))

    def _builder(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey,
        now: datetime.datetime,
        days: int,
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            # A day earlier: the machine's clock may be set back a little later.
            .not_valid_before(now - _DAY)
            .not_valid_after(now + days * _DAY)
        )

    def _sign(self, builder: x509.CertificateBuilder) -> bytes:
        signed = builder.sign(self._key, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
