"""A client that follows a source by Server-Sent Events, as plain bytes on a socket."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from tests.conformance.store.running import APP, Running, token

_LAST_CHUNK = b"0\r\n\r\n"


class Follower:
    """Reads the events of one stream."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.last = ""

    @classmethod
    async def begin(
        cls,
        store: Running,
        path: str = "/load/ts/tail",
        *,
        caveats: Sequence[str] = (),
        after: str = "",
        grant: str = "g1",
    ) -> "Follower":
        """Follow; `after` goes into the header, as browsers do."""
        store.connect(APP).close()
        reader, writer = await asyncio.open_unix_connection(str(store.folder / f"{APP}.sock"))
        key = token(APP, "GET", path.partition("?")[0], *caveats, grant=grant)
        lines = [f"GET {path} HTTP/1.1", "Host: store", f"X-Api-Key: {key}"]
        if after:
            lines.append(f"Last-Event-ID: {after}")
        writer.write("\r\n".join([*lines, "", ""]).encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert b" 200 " in head, head
        assert b"text/event-stream" in head
        return cls(reader, writer)

    async def event(self) -> dict[str, Any]:
        """The next event: `data`, and `id` and `event` where it has them."""
        async with asyncio.timeout(5):
            while True:
                lines = [line async for line in self._lines()]
                found = dict(line.split(": ", 1) for line in lines if not line.startswith(":"))
                if found:
                    break
        if "id" in found:
            self.last = found["id"]
        return {**found, "data": json.loads(found["data"])}

    async def data(self) -> Any:
        """What the next reading has."""
        found = await self.event()
        assert "event" not in found, found
        return found["data"]["data"]

    async def silent(self) -> bool:
        """Whether nothing comes for a moment."""
        try:
            async with asyncio.timeout(0.1):
                await self.event()
        except TimeoutError:
            return True
        return False

    async def ended(self) -> bytes:
        """Everything up to the end of the stream."""
        rest = b""
        async with asyncio.timeout(5):
            try:
                while not rest.endswith(_LAST_CHUNK) and (part := await self._reader.read(65536)):
                    rest += part
            except ConnectionError:
                pass
        self.close()
        return rest

    def close(self) -> None:
        """Leave."""
        self._writer.close()

    async def _lines(self) -> Any:
        """The lines of one event. A chunk may hold several; all come line by line."""
        while True:
            line = (await self._reader.readline()).decode().rstrip("\n").rstrip("\r")
            if not line:
                return
            if not _is_chunk_size(line):
                yield line


def _is_chunk_size(line: str) -> bool:
    return all(letter in "0123456789abcdef" for letter in line)
