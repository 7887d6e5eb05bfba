"""Output of an instance stays bounded in size and in pace."""

import asyncio
import os
from pathlib import Path

from databox.engines.sandbox.output import LOG_BYTES, Capture, Log, Pump


def test_a_log_never_keeps_more_than_two_files(tmp_path: Path) -> None:
    log = Log(tmp_path / "app.log")
    for _ in range(40):
        log.write(b"x" * 64 * 1024)
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert set(sizes) == {"app.log", "app.log.1"}
    assert max(sizes.values()) <= LOG_BYTES


def test_a_log_goes_on_where_the_last_run_ended(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    Log(path).write(b"first\n")
    Log(path).write(b"second\n")
    assert path.read_bytes() == b"first\nsecond\n"


def test_a_log_is_for_the_box_alone(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    Log(path).write(b"line\n")
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_log_follows_no_link(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_bytes(b"kept")
    (tmp_path / "app.log").symlink_to(target)
    Log(tmp_path / "app.log").write(b"overwritten")
    assert target.read_bytes() == b"kept"


def test_a_capture_keeps_the_beginning_and_says_that_there_was_more() -> None:
    capture = Capture(5)
    capture.write(b"abc")
    assert not capture.truncated
    capture.write(b"def")
    assert (bytes(capture.content), capture.truncated) == (b"abcde", True)


def test_reading_pauses_when_a_seconds_share_is_used_up() -> None:
    class Narrow(Capture):
        pace = 1000

    async def flood() -> int:
        read, write = os.pipe2(os.O_NONBLOCK)
        sink = Narrow(1_000_000)
        pump = Pump(read, sink)
        for _ in range(20):
            try:
                os.write(write, b"x" * 65536)
            except BlockingIOError:
                await asyncio.sleep(0.01)
        taken = len(sink.content)
        os.close(write)
        pump.stop()
        os.close(read)
        return taken

    assert asyncio.run(flood()) <= 65536
