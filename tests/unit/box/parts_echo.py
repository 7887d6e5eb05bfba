"""A part that echoes what its callers send, and tells about its walls when asked."""

import asyncio
import json
import os
import socket
from pathlib import Path

from attempts import attempts

from databox.kit.control import Control
from databox.wire.control import Listener, Unlisten


async def serve(control: Control) -> None:
    servers: dict[str, asyncio.AbstractServer] = {}
    tasks: set[asyncio.Task[None]] = set()

    async def listen(listener: Listener, sock: socket.socket) -> None:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while line := await reader.readline():
                match line:
                    case b"walls\n":
                        answer = _walls()
                    case b"attempts\n":
                        answer = json.dumps(attempts())
                    case _:
                        answer = line.decode().strip()
                writer.write(f"{control.part} to {listener.caller}: {answer}\n".encode())
            writer.close()

        servers[listener.caller] = await asyncio.start_unix_server(talk, sock=sock)

    def heard(listener: Listener, sock: socket.socket) -> None:
        tasks.add(asyncio.get_running_loop().create_task(listen(listener, sock)))

    def gone(unlisten: Unlisten) -> None:
        servers.pop(unlisten.caller).close()

    control.on_listener(heard)
    control.on_unlisten(gone)
    (control.directory / "was-here").write_text(control.secrets["word"].reveal().decode())
    await control.ready()
    if control.config.get("fall"):
        raise RuntimeError(control.config["fall"])
    await control.run()


def _walls() -> str:
    found = []
    for family in (socket.AF_INET, socket.AF_UNIX):
        try:
            socket.socket(family).close()
            found.append(f"socket {family.name}")
        except OSError:
            pass
    try:
        os.fork()
        found.append("fork")
    except OSError:
        pass
    found += [str(path) for path in (Path("/root"), Path("/home"), Path("/proc")) if path.exists()]
    try:
        Path("/usr/bin/written").write_text("x")
        found.append("write /usr")
    except OSError:
        pass
    return f"uid={os.getuid()} pid={os.getpid()} open={found}"
