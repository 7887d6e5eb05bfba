"""TLS ends in the server; the client checks the name it was told."""

import asyncio
import datetime
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from databox.kit.http import Limits, Request, Response, Router, Server, Stream
from databox.kit.http.client import Connection, PeerUntrusted
from databox.kit.http.wire import Body


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    """A self-signed certificate for lamp-store, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lamp-store")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("lamp-store")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "lamp.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def secure(box, pem):
    """The box's server over TLS, and a way to connect to it by name."""
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(pem)

    def kinds(request: Request) -> Response:
        return Response(200, f"{request.caller} {request.kind}".encode(), "text/plain")

    async def parts():
        for _ in range(50):
            yield b"x" * 100_000

    async def slowly(request: Request) -> Response:
        size = most = 0
        async for part in request.stream:
            most = max(most, request.stream.received - size)
            size += len(part)
            await asyncio.sleep(0.001)
        return Response(200, f"{size} {most < 2_000_000}".encode(), "text/plain")

    routes = Router()
    routes.add("GET", "/", kinds)
    routes.add("POST", "/", kinds)
    routes.add("GET", "/parts", lambda request: Stream(200, "text/plain", parts()))
    routes.add("POST", "/slowly", slowly, max_body=1 << 30, streamed=True)

    def start(name: str = "lamp-store", **limits):
        box.server = Server(routes, Limits(**limits), server_side)
        path = box.listen("weather", "tls")
        return path, lambda: Connection(
            box.connect(path).dup(),
            host=name,
            ssl_context=ssl.create_default_context(cafile=str(pem)),
        )

    return start


def test_a_request_over_tls_on_a_unix_socket_is_served(run, secure):
    async def story():
        _, connect = secure()
        client = connect()
        answers = [(await client.request("GET", "/")).body for _ in range(2)]
        client.close()
        return answers

    assert run(story()) == [b"weather tls"] * 2


def test_a_long_stream_over_tls_arrives_whole(run, secure):
    async def story():
        _, connect = secure()
        client = connect()
        answer = await client.request("GET", "/parts")
        client.close()
        return len(answer.body)

    assert run(story()) == 5_000_000


def test_an_oversized_body_over_tls_is_refused_in_words(run, secure):
    async def story():
        _, connect = secure(body=1000)
        client = connect()
        return (await client.request("POST", "/", body=b"x" * 100_000)).status

    assert run(story()) == 413


def test_a_certificate_for_another_name_is_not_believed(run, secure):
    async def story():
        _, connect = secure("heat-store")
        with pytest.raises(PeerUntrusted) as caught:
            await connect().request("GET", "/")
        return caught.value.found

    assert "heat-store" in run(story())


def test_a_handshake_that_never_comes_is_ended_and_its_place_freed(run, box, secure):
    async def story():
        path, _ = secure(head_seconds=0.1, connections_per_caller=2)
        silent = [box.connect(path) for _ in range(3)]
        await asyncio.sleep(0.05)
        during = len(box.server._slots)
        await asyncio.sleep(0.5)
        assert silent
        return during, len(box.server._slots)

    assert run(story()) == (2, 0)


def test_ending_a_caller_ends_its_handshakes(run, box, secure):
    async def story():
        path, _ = secure()
        end = box.connect(path)
        end.setblocking(False)
        await asyncio.sleep(0.05)
        before = len(box.server._slots)
        box.server.close_caller("weather")
        rest = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(end, 10), 5)
        return before, rest, len(box.server._slots)

    assert run(story()) == (1, b"", 0)


def test_plain_text_on_a_tls_listener_is_not_answered(run, box, secure):
    async def story():
        path, _ = secure()
        end = box.connect(path)
        end.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(end, b"GET / HTTP/1.1\r\nHost: box\r\n\r\n")
        return await asyncio.wait_for(loop.sock_recv(end, 1000), 5)

    assert b"HTTP" not in run(story())


@pytest.mark.parametrize("length", [5_000_000, None])
def test_a_body_comes_over_tls_as_it_is_read(run, secure, length):
    async def parts():
        for _ in range(50):
            yield b"x" * 100_000

    async def story():
        _, connect = secure()
        connection = connect()
        answer = await connection.stream("POST", "/slowly", {}, Body(parts(), length))
        told = b"".join([part async for part in answer.chunks])
        assert connection.usable
        connection.close()
        return told

    assert run(story()) == b"5000000 True"


def test_an_upload_over_tls_that_breaks_off_is_told_to_its_reader(run, box, secure):
    async def broken():
        yield b"x" * 100_000
        raise OSError("unplugged")

    async def story():
        _, connect = secure()
        connection = connect()
        # Its double would keep the connection open.
        box.opened[-1].close()
        with pytest.raises(OSError, match="unplugged"):
            await connection.stream("POST", "/slowly", {}, Body(broken(), 5_000_000))
        async with asyncio.timeout(5):
            while box.server._slots:
                await asyncio.sleep(0.01)

    run(story())
