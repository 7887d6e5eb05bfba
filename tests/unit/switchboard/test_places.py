import pytest

from databox.switchboard.places import Place, parse
from databox.wire.errors import BadRequest


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("api.example:443", Place("api.example", 443)),
        ("https://api.example", Place("api.example", 443)),
        ("https://API.example:8443", Place("api.example", 8443)),
    ],
)
def test_a_place_is_read(text, place):
    assert parse(text) == place


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1:443",
        "1.2.3.4:443",
        "[::1]:443",
        "*.example:443",
        "http://api.example",
        "https://user@api.example",
        "localhost:443",
        "api.example",
        "api.example:0",
        "api.example:70000",
        "api..example:443",
        "-a.example:443",
        "https://api.example/#x",
        "",
    ],
)
def test_anything_else_is_refused(text):
    with pytest.raises(BadRequest):
        parse(text)
