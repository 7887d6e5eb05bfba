"""The authority vouches for the names that a sandbox may reach, and for no others."""

import datetime
import socket
import ssl
import threading
from pathlib import Path

import pytest

from databox.box.certificates import Authority
from databox.box.trust import Trust

NOW = datetime.datetime.now(datetime.UTC)


def handshake(authority: bytes, leaf: bytes, name: str, folder: Path) -> None:
    """Make a TLS connection to a server that shows `leaf`, as a client that asks for `name`."""
    (folder / "leaf.pem").write_bytes(leaf)
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(folder / "leaf.pem")
    client = ssl.create_default_context(cadata=authority.decode())
    near, far = socket.socketpair()

    def serve() -> None:
        try:
            served.wrap_socket(far, server_side=True).close()
        except OSError:
            far.close()

    server = threading.Thread(target=serve)
    server.start()
    try:
        client.wrap_socket(near, server_hostname=name).close()
    finally:
        near.close()
        server.join()
        far.close()


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.new()


@pytest.mark.parametrize("name", ["hue-store", "localhost"])
def test_leaf_is_good_for_its_own_name(authority: Authority, tmp_path: Path, name: str) -> None:
    names = ("hue-store", "localhost")
    leaf = authority.leaf("hue-store", NOW)
    handshake(authority.certificate(NOW, names), leaf.together, name, tmp_path)


def test_leaf_is_not_good_for_another_name(authority: Authority, tmp_path: Path) -> None:
    leaf = authority.leaf("hue-store", NOW)
    certificate = authority.certificate(NOW, ("hue-store", "arbiter", "localhost"))
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(certificate, leaf.together, "arbiter", tmp_path)


def test_even_the_real_key_cannot_pass_for_a_name_outside_the_constraint(
    authority: Authority, tmp_path: Path
) -> None:
    leaf = authority.leaf("bank.example", NOW)
    certificate = authority.certificate(NOW, ("hue-store", "localhost"))
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(certificate, leaf.together, "bank.example", tmp_path)


def test_leaf_cannot_vouch_for_others(authority: Authority, tmp_path: Path) -> None:
    leaf = authority.leaf("hue-store", NOW)
    other = Authority.new().leaf("hue-store", NOW)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(leaf.certificate, other.together, "hue-store", tmp_path)


def test_authority_is_the_same_after_it_was_kept(authority: Authority, tmp_path: Path) -> None:
    again = Authority.load(authority.dump())
    leaf = again.leaf("hue-store", NOW)
    handshake(authority.certificate(NOW), leaf.together, "hue-store", tmp_path)


def test_certificate_is_there_before_the_box_has_an_owner(tmp_path: Path) -> None:
    assert Trust(tmp_path).certificate.startswith(b"-----BEGIN CERTIFICATE-----")
