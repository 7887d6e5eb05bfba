"""The reader takes sound requests however they are cut, and refuses what is ambiguous."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from databox.kit.http import Limits, Request
from databox.kit.http.reader import Refused, RequestReader

HOST = b"Host: box\r\n"


class Log:
    """Feeds a reader and writes down what came out."""

    def __init__(self, max_body: int | None = None, **limits: Any) -> None:
        self.seen: list[tuple[str, str, bytes, bool]] = []
        self.requests: list[Request] = []
        self.status = 0
        bounds = Limits(**limits)
        bound = bounds.body if max_body is None else max_body
        self.reader = RequestReader(bounds, lambda request: bound, self.take)

    def take(self, request: Request, keep: bool) -> None:
        self.requests.append(request)
        self.seen.append((request.method, request.target, request.body, keep))

    def feed(self, *parts: bytes) -> "Log":
        try:
            for part in parts:
                self.reader.feed(part)
        except Refused as refused:
            self.status = refused.response.status
        return self


SMUGGLING = {
    "two equal lengths": (
        b"POST / HTTP/1.1\r\n%bContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        400,
    ),
    "two lengths": (b"POST / HTTP/1.1\r\n%bContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", 400),
    "a list of lengths": (b"POST / HTTP/1.1\r\n%bContent-Length: 1, 1\r\n\r\nx", 400),
    "a signed length": (b"POST / HTTP/1.1\r\n%bContent-Length: +1\r\n\r\nx", 400),
    "a negative length": (b"POST / HTTP/1.1\r\n%bContent-Length: -1\r\n\r\nx", 400),
    "a hexadecimal length": (b"POST / HTTP/1.1\r\n%bContent-Length: 0x1\r\n\r\nx", 400),
    "a length with underscore": (b"POST / HTTP/1.1\r\n%bContent-Length: 1_0\r\n\r\nx", 400),
    "an empty length": (b"POST / HTTP/1.1\r\n%bContent-Length: \r\n\r\n", 400),
    "an overflowing length": (
        b"POST / HTTP/1.1\r\n%bContent-Length: 18446744073709551617\r\n\r\n",
        400,
    ),
    "length and chunked": (
        b"POST / HTTP/1.1\r\n%bContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "chunked and length": (
        b"POST / HTTP/1.1\r\n%bTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n",
        400,
    ),
    "chunked twice": (
        b"POST / HTTP/1.1\r\n%bTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        400,
    ),
    "chunked not last": (b"POST / HTTP/1.1\r\n%bTransfer-Encoding: chunked, gzip\r\n\r\n", 400),
    "another coding": (
        b"POST / HTTP/1.1\r\n%bTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        501,
    ),
    "identity coding": (b"POST / HTTP/1.1\r\n%bTransfer-Encoding: identity\r\n\r\n", 501),
    "chunked with a prefix": (b"POST / HTTP/1.1\r\n%bTransfer-Encoding: xchunked\r\n\r\n", 501),
    "quoted chunked": (b'POST / HTTP/1.1\r\n%bTransfer-Encoding: "chunked"\r\n\r\n', 501),
    "chunked behind a vertical tab": (
        b"POST / HTTP/1.1\r\n%bTransfer-Encoding:\x0bchunked\r\n\r\n",
        400,
    ),
    "chunked by an old peer": (
        b"POST / HTTP/1.0\r\n%bTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        501,
    ),
    "a chunk size that is none": (
        b"POST / HTTP/1.1\r\n%bTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        400,
    ),
    "a chunk size with prefix": (
        b"POST / HTTP/1.1\r\n%bTransfer-Encoding: chunked\r\n\r\n0x1\r\n",
        400,
    ),
    "a chunk size with space": (
        b"POST / HTTP/1.1\r\n%bTransfer-Encoding: chunked\r\n\r\n1 \r\na",
        400,
    ),
    "a chunk size ended by LF": (
        b"POST / HTTP/1.1\r\n%bTransfer-Encoding: chunked\r\n\r\n1\na\r\n",
        400,
    ),
    "a chunk ended by LF": (
        b"POST / HTTP/1.1\r\n%bTransfer-Encoding: chunked\r\n\r\n1\r\na\n0\r\n",
        400,
    ),
    "a chunk longer than said": (
        b"POST / HTTP/1.1\r\n%bTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
        400,
    ),
    "an overflowing chunk": (
        b"POST / HTTP/1.1\r\n%bTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        400,
    ),
    "LF in a chunk extension": (
        b"POST / HTTP/1.1\r\n%bTransfer-Encoding: chunked\r\n\r\n1;a\nb\r\na\r\n",
        400,
    ),
    "a length in the trailer": (
        b"POST / HTTP/1.1\r\n%bTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 3\r\n\r\nabc",
        400,
    ),
    "lines ended by LF": (b"GET / HTTP/1.1\nHost: box\n\n", 400),
    "a header ended by LF": (b"GET / HTTP/1.1\r\nHost: box\n\r\n", 400),
    "a header ended by CR": (b"GET / HTTP/1.1\r\nHost: box\rX: y\r\n\r\n", 400),
    "a folded header": (b"GET / HTTP/1.1\r\n%bX: a\r\n b\r\n\r\n", 400),
    "a folded coding": (b"POST / HTTP/1.1\r\n%bTransfer-Encoding:\r\n chunked\r\n\r\n", 400),
    "a folded first header": (b"GET / HTTP/1.1\r\n X: a\r\n%b\r\n", 400),
    "a space before the colon": (b"GET / HTTP/1.1\r\n%bX : a\r\n\r\n", 400),
    "a header without name": (b"GET / HTTP/1.1\r\n%b: a\r\n\r\n", 400),
    "a header without colon": (b"GET / HTTP/1.1\r\n%bX\r\n\r\n", 400),
    "NUL in a name": (b"GET / HTTP/1.1\r\n%bX\x00Y: a\r\n\r\n", 400),
    "NUL in a value": (b"GET / HTTP/1.1\r\n%bX: a\x00b\r\n\r\n", 400),
    "a control character in a value": (b"GET / HTTP/1.1\r\n%bX: a\x01b\r\n\r\n", 400),
    "NUL in the target": (b"GET /\x00 HTTP/1.1\r\n%b\r\n", 400),
    "a raw byte in the target": (b"GET /\xff HTTP/1.1\r\n%b\r\n", 400),
    "a space in the target": (b"GET /a b HTTP/1.1\r\n%b\r\n", 400),
    "an absolute target": (b"GET http://elsewhere/ HTTP/1.1\r\n%b\r\n", 400),
    "a target with host": (b"GET //elsewhere\\@box/#x HTTP/1.1\r\n%b\r\n", 400),
    "a fragment": (b"GET /a#b HTTP/1.1\r\n%b\r\n", 400),
    "an asterisk": (b"OPTIONS * HTTP/1.1\r\n%b\r\n", 400),
    "an authority": (b"CONNECT elsewhere:443 HTTP/1.1\r\n%b\r\n", 400),
    "a malformed escape": (b"GET /%%zz HTTP/1.1\r\n%b\r\n", 400),
    "an escaped NUL": (b"GET /%%00 HTTP/1.1\r\n%b\r\n", 400),
    "an escape that is not UTF-8": (b"GET /%%c0%%af HTTP/1.1\r\n%b\r\n", 400),
    "two hosts": (b"GET / HTTP/1.1\r\n%bHost: elsewhere\r\n\r\n", 400),
    "two equal hosts": (b"GET / HTTP/1.1\r\n%bHost: box\r\n\r\n", 400),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "two keys": (b"GET / HTTP/1.1\r\n%bX-Api-Key: a\r\nX-Api-Key: b\r\n\r\n", 400),
    "two authorizations": (
        b"GET / HTTP/1.1\r\n%bAuthorization: a\r\nauthorization: b\r\n\r\n",
        400,
    ),
    "a request without version": (b"GET /\r\n\r\n", 505),
    "version 0.9": (b"GET / HTTP/0.9\r\n%b\r\n", 505),
    "version 2": (b"GET / HTTP/2.0\r\n%b\r\n", 505),
    "version 1.2": (b"GET / HTTP/1.2\r\n%b\r\n", 400),
    "version 1.10": (b"GET / HTTP/1.10\r\n%b\r\n", 400),
    "the preface of version 2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "an unknown method": (b"STEAL / HTTP/1.1\r\n%b\r\n", 400),
    "a method in lower case": (b"get / HTTP/1.1\r\n%b\r\n", 400),
    "a body on a change of protocol": (
        b"POST / HTTP/1.1\r\n%bConnection: upgrade\r\nUpgrade: x\r\nContent-Length: 2\r\n\r\nhi",
        400,
    ),
    "a TLS hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
}


def bytewise(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


@pytest.mark.parametrize("cut", [lambda data: [data], bytewise], ids=["whole", "bytewise"])
@pytest.mark.parametrize("name", SMUGGLING)
def test_an_ambiguous_request_is_refused(name: str, cut: Callable[[bytes], list[bytes]]):
    raw, status = SMUGGLING[name]
    request = raw % HOST if b"%b" in raw else raw
    log = Log().feed(*cut(request))
    assert (log.seen, log.status) == ([], status)


def test_what_follows_a_request_that_closes_is_not_read():
    close = b"GET /a HTTP/1.1\r\n%bConnection: close\r\n\r\n" % HOST
    log = Log().feed(close + b"GET /b HTTP/1.1\r\n%b\r\n" % HOST)
    assert [target for _, target, _, _ in log.seen] == ["/a"]
    assert log.status == 400


def test_repeated_list_headers_are_joined():
    log = Log().feed(b"GET / HTTP/1.1\r\n%bAccept: a\r\nACCEPT: b\r\n\r\n" % HOST)
    assert log.requests[0].headers["accept"] == "a, b"


def test_bytes_behind_a_change_of_protocol_are_given_back():
    log = Log()
    head = b"GET /ws HTTP/1.1\r\n%bConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n" % HOST
    assert log.reader.feed(head + b"frames") == b"frames"
    assert log.seen == [("GET", "/ws", b"", False)]


LONG = b"a" * 300


@pytest.mark.parametrize("cut", [lambda data: [data], bytewise], ids=["whole", "bytewise"])
@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET /" + LONG + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X: " + LONG + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + HOST + LONG + b": x\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + HOST + b"".join(b"%d:\r\n" % n for n in range(9)) + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + HOST + b"Accept:\r\n" * 9 + b"\r\n", 431),
        (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 101\r\n\r\n", 413),
        (
            b"POST / HTTP/1.1\r\n"
            + HOST
            + b"Transfer-Encoding: chunked\r\n\r\n65\r\n"
            + b"a" * 101,
            413,
        ),
    ],
)
def test_what_is_too_large_is_refused_by_name(raw, status, cut):
    log = Log(target=100, head=200, headers=8, body=100).feed(*cut(raw))
    assert (log.seen, log.status) == ([], status)


def test_a_route_may_take_more_or_less_than_the_server():
    post = b"POST / HTTP/1.1\r\n%bContent-Length: 50\r\n\r\n%b" % (HOST, b"x" * 50)
    assert Log(body=10, max_body=50).feed(post).status == 0
    assert Log(body=100, max_body=49).feed(post).status == 413


@pytest.mark.parametrize(
    ("start", "filler"),
    [
        (b"GET / HTTP/1.1\r\nX: ", b"a" * 100),
        (b"GET / HTTP/1.1\r\n", b"a" * 100),
        (b"GET / HTTP/1.1\r\nX:", b" " * 100),
        (b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n1;", b"a" * 100),
        (b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: ", b"a" * 100),
        (
            b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n",
            b"a:\r\n" * 25,
        ),
    ],
    ids=["value", "name", "spaces", "extension", "trailer", "trailers"],
)
def test_what_never_ends_is_refused_before_it_fills_the_memory(start, filler):
    log = Log(head=1000, target=1000).feed(start, *[filler] * 100)
    assert log.status in (400, 431)


TOKEN = st.text("abcdefgh-XYZ", min_size=1, max_size=8).map(lambda text: "x" + text)
VALUE = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20)
BODY = st.binary(max_size=200)


@st.composite
def sound_request(draw: st.DrawFn) -> bytes:
    method = draw(st.sampled_from([b"GET", b"POST", b"PUT", b"DELETE"]))
    path = draw(st.text("abc/%?=&", max_size=20)).replace("%", "%41").encode()
    headers = draw(st.dictionaries(TOKEN.map(str.lower), VALUE, max_size=5))
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
    body = draw(BODY)
    match draw(st.sampled_from(["none", "length", "chunks"])):
        case "length":
            tail = b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        case "chunks":
            size = draw(st.integers(1, 50))
            parts = [body[i : i + size] for i in range(0, len(body), size)]
            tail = b"Transfer-Encoding: chunked\r\n\r\n"
            tail += b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
        case _:
            tail = b"\r\n"
    return b"%b /%b HTTP/1.1\r\n%b%b%b" % (method, path, HOST, lines, tail)


def cut_at(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


@given(
    st.lists(sound_request(), min_size=1, max_size=4), st.lists(st.integers(0, 10**6), max_size=20)
)
def test_any_cut_of_a_sound_stream_gives_the_same_requests(requests, places):
    stream = b"".join(requests)
    whole, cut = Log().feed(stream), Log().feed(*cut_at(stream, places))
    assert whole.status == 0
    assert len(whole.seen) == len(requests)
    assert cut.requests == whole.requests


@given(sound_request(), st.integers(0, 10**6), st.binary(min_size=1, max_size=4), st.booleans())
def test_a_damaged_request_is_read_or_refused_and_a_cut_changes_nothing(request_, at, dirt, insert):
    at %= len(request_)
    damaged = request_[:at] + dirt + request_[at + (0 if insert else len(dirt)) :]
    whole, cut = Log().feed(damaged), Log().feed(*bytewise(damaged))
    assert (cut.seen, cut.status) == (whole.seen, whole.status)


@given(st.lists(st.binary(max_size=300), max_size=10))
def test_arbitrary_bytes_are_read_or_refused(parts):
    log = Log().feed(*parts)
    assert log.status in (0, 400, 413, 414, 431, 501, 505)


GET = b"GET /a?b HTTP/1.1\r\n%bX-Api-Key: k\r\n\r\n" % HOST


def test_the_same_bytes_again_are_the_same_request_and_a_new_object():
    log = Log().feed(GET, GET, GET)
    first, second, third = log.requests
    assert first == second == third
    second.headers["x-api-key"] = second.path = "changed"
    log.feed(GET)
    assert first == log.requests[3]
    assert second is not third


@pytest.mark.parametrize(
    "again",
    [
        b"POST / HTTP/1.1\r\n%bContent-Length: 4\r\n\r\n\r\n\r\n" % HOST,
        b"POST / HTTP/1.1\r\n%bTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n" % HOST,
        GET + GET,
        b"\r\n" + GET,
    ],
    ids=["a body like an empty line", "chunks", "two at once", "an empty line before"],
)
def test_bytes_that_are_more_than_one_head_are_read_anew(again):
    log = Log().feed(again, again)
    half = len(log.seen) // 2
    assert log.status == 0
    assert log.seen[:half] == log.seen[half:]


@pytest.mark.parametrize("begun", [b"G", b"P", b"GET /x HTTP/1.1\r\nHost: b\r\nX: y", b"\r"])
def test_known_bytes_behind_something_begun_are_not_taken_for_a_request(begun):
    once, known = Log().feed(begun, GET), Log().feed(GET, GET, begun, GET)
    assert known.seen[2:] == once.seen
    assert known.status == once.status


def test_known_bytes_inside_a_body_are_that_body():
    post = b"POST / HTTP/1.1\r\n%bContent-Length: %d\r\n\r\n" % (HOST, len(GET))
    log = Log().feed(GET, GET, post, GET, GET)
    assert [(method, body) for method, _, body, _ in log.seen] == [
        ("GET", b""),
        ("GET", b""),
        ("POST", GET),
        ("GET", b""),
    ]


POST = b"POST /a HTTP/1.1\r\n%bContent-Length: 4\r\n\r\n" % HOST


def test_a_known_head_with_another_body_is_another_request():
    log = Log().feed(POST + b"1234", POST + b"5678", POST + b"\r\n\r\n", POST + b"9abc")
    assert [body for _, _, body, _ in log.seen] == [b"1234", b"5678", b"\r\n\r\n", b"9abc"]
    assert len(log.reader._known) == 1
    assert log.status == 0


def test_a_known_head_with_too_large_a_body_is_refused():
    log = Log().feed(POST + b"1234")
    log.reader._on_head = lambda _: 3
    assert log.feed(POST + b"1234").status == 413


KNOWN = (GET, POST + b"1234")
PIECES = [
    *(GET, GET[:-2], GET[-2:], b"G", GET[1:], b"\r\n"),
    *(
        POST,
        POST + b"1234",
        POST + b"5678",
        POST + b"12",
        b"34",
        POST + b"\r\n\r\n",
        POST + b"12345",
    ),
]


@given(st.lists(st.sampled_from(PIECES), max_size=8))
def test_remembering_changes_no_verdict(parts):
    remembering, forgetful = (
        Log().feed(*KNOWN, *KNOWN, *parts),
        Log().feed(*KNOWN, *KNOWN, *bytewise(b"".join(parts))),
    )
    assert remembering.seen == forgetful.seen
    assert remembering.status == forgetful.status


def test_a_connection_remembers_few_requests():
    log = Log()
    for number in range(100):
        log.feed(b"GET /%d HTTP/1.1\r\n%b\r\n" % (number, HOST))
    assert len(log.reader._known) <= 8
