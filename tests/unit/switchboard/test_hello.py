import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from databox.switchboard.hello import record_size, server_name
from databox.wire.errors import Denied


def hello(name):
    """What Python's own TLS client sends first."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    if name is None:
        context.check_hostname = False
    client = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def test_the_name_of_a_real_client_is_read():
    record = hello("api.example.test")
    assert record_size(record[:5]) == len(record)
    assert server_name(record) == "api.example.test"


def test_a_hello_without_a_name_is_refused():
    with pytest.raises(Denied, match="does not name one server"):
        server_name(hello(None))


def test_an_encrypted_hello_is_refused():
    record = hello("api.example.test")
    grown = b"\xfe\x0d\x00\x00"
    at = record.index(b"\x00\x00\x00\x15\x00\x13\x00\x00\x10api.example.test")
    lengths = 5 + 4, 3  # the record's and the handshake's own lengths grow with it
    body = record[:at] + grown + record[at:]
    patched = _grow(body, len(grown), at, lengths)
    with pytest.raises(Denied, match="encrypted"):
        server_name(patched)


def _grow(body, by, at, lengths):
    """Add `by` to the lengths of the record, the handshake and the extensions."""
    out = bytearray(body)
    out[3:5] = (int.from_bytes(out[3:5]) + by).to_bytes(2)
    out[6:9] = (int.from_bytes(out[6:9]) + by).to_bytes(3)
    spot = 9 + 2 + 32
    spot += 1 + out[spot]
    spot += 2 + int.from_bytes(out[spot : spot + 2])
    spot += 1 + out[spot]
    out[spot : spot + 2] = (int.from_bytes(out[spot : spot + 2]) + by).to_bytes(2)
    return bytes(out)


def test_clear_text_is_refused_at_its_first_byte():
    with pytest.raises(Denied, match="not TLS"):
        record_size(b"G")


def test_nothing_is_decided_before_five_bytes():
    assert record_size(b"\x16\x03") is None


@given(st.binary(max_size=400))
def test_garbage_is_refused_and_never_crashes(content):
    with pytest.raises(Denied):
        server_name(b"\x16\x03\x01\x00\x00" + content)


@given(st.integers(0, 600))
def test_a_hello_cut_short_is_refused(cut):
    record = hello("api.example.test")
    with pytest.raises(Denied):
        server_name(record[: cut % len(record)])
