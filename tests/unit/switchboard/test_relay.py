import asyncio
import socket

from databox.switchboard.relay import End, join, wait_over


async def pair():
    near_app, near = socket.socketpair()
    far, far_app = socket.socketpair()
    loop = asyncio.get_running_loop()
    ends = []
    for sock in (near, far):
        sock.setblocking(False)
        ends.append((await loop.connect_accepted_socket(End, sock))[1])
    near_app.setblocking(False)
    far_app.setblocking(False)
    return near_app, ends[0], ends[1], far_app


def test_bytes_pass_both_ways_and_early_ones_come_first():
    async def story():
        app, near, far, server = await pair()
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(app, b"early ")
        await asyncio.sleep(0.01)
        join(near, far)
        await loop.sock_sendall(app, b"late")
        await loop.sock_sendall(server, b"back")
        await asyncio.sleep(0.01)
        seen = await loop.sock_recv(server, 100), await loop.sock_recv(app, 100)
        app.close()
        server.close()
        await wait_over(near, far)
        return seen, (near.passed, far.passed)

    seen, counted = asyncio.run(story())
    assert seen == (b"early late", b"back")
    assert counted == (10, 4)


def test_a_large_stream_arrives_whole_through_a_slow_reader():
    async def story():
        app, near, far, server = await pair()
        join(near, far)
        loop = asyncio.get_running_loop()
        sent = bytes(range(256)) * 16384
        sending = asyncio.create_task(loop.sock_sendall(app, sent))
        got = bytearray()
        while len(got) < len(sent):
            got += await loop.sock_recv(server, 65536)
        await sending
        app.close()
        server.close()
        await wait_over(near, far)
        return bytes(got) == sent

    assert asyncio.run(story())


def test_early_bytes_without_end_are_cut_off():
    async def story():
        app, near, far, server = await pair()
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(5):
                while True:
                    await loop.sock_sendall(app, bytes(65536))
        except OSError:
            ended = True
        await near.closed
        far.abort()
        await far.closed
        app.close()
        server.close()
        return ended

    assert asyncio.run(story())
