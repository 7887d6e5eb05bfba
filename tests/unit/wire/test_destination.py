import pytest

from databox.wire.destination import parse
from databox.wire.errors import BadRequest


def test_an_address_is_read_into_what_will_be_sent():
    got = parse("https://Sum.Example.test/a/b?c=d")
    assert (got.host, got.port, got.target) == ("sum.example.test", 443, "/a/b?c=d")
    assert got.place == "sum.example.test:443"


def test_an_international_name_is_sent_as_ascii():
    assert parse("https://bücher.example/").host == "xn--bcher-kva.example"


@pytest.mark.parametrize(
    "url",
    [
        "http://a.test/",
        "https://user:pw@a.test/",
        "https://a.test/#x",
        "https://a.test\\@b.test/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://localhost/",
        "https://a.test:99999/",
        "https://a.test:0/",
        "https://a.test./",
        "https://a.test/ x",
        "https://a.test/\r\nHost: b",
        "https:///x",
        "ftp://a.test/",
        "",
        "https://a.test/" + "x" * 2001,
    ],
)
def test_an_address_that_could_be_read_in_two_ways_is_refused(url):
    with pytest.raises(BadRequest):
        parse(url)
