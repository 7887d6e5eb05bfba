"""A part that somebody took over can do nothing that it could not before; outside it could."""

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
from tests.unit.box.attempts import attempts
from tests.unit.box.test_zygote import Echo, run

ALWAYS = {errno.EPERM, errno.ENOSYS, errno.EACCES}
REFUSED = {
    "other files": {errno.ENOENT},
    "write to the system": {errno.EROFS, errno.EACCES},
    # In a user namespace of one uid there is no uid 0 at all.
    "setuid": {errno.EPERM, errno.EINVAL},
    "socket 40": {errno.EPERM, errno.EAFNOSUPPORT},
}
"""How the rest is refused; anything else is refused for want of a right."""


@pytest.fixture(scope="module")
def outside() -> dict[str, int]:
    """The control: the same attempts by an ordinary child of this test."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.chdir("/tmp")
        os.write(writer, json.dumps(attempts()).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answers:
        found: dict[str, int] = json.loads(answers.read())
    os.waitpid(pid, 0)
    return found


@pytest.mark.usefixtures("adoptive")
def test_taken_over_part_is_refused_everything(home: Path) -> None:
    async def story(part: Echo) -> None:
        await part.start()
        answer = await part.ask("attempts")
        found: dict[str, Any] = json.loads(answer.partition(": ")[2])
        through = {
            name: error for name, error in found.items() if error not in REFUSED.get(name, ALWAYS)
        }
        assert through == {}

    run(home, story)


@pytest.mark.root
def test_outside_the_same_attempts_get_through(outside: dict[str, int]) -> None:
    # Which kernels have io_uring, bpf, vsock or keyrings differs; the rest works for root anywhere.
    optional = {"io_uring_setup", "bpf", "keyctl", "socket 40"}
    refused = {name for name, error in outside.items() if error in ALWAYS} - optional
    assert refused == set()
