"""The examples of the page about points are answered as it says."""

import asyncio
import re
import shlex
from pathlib import Path

from tests.conformance.store.running import DRIVER, running

from databox.kit.clock import FixedClock

PAGE = Path(__file__).parents[3] / "docs/howto/read-write-and-follow-many-points.md"
EXAMPLE = re.compile(r"^    (curl (?:.*\\\n)*.*)\n    (\{.*)$", re.MULTILINE)
REFUSAL = re.compile(r'^    (\{"error".*)$', re.MULTILINE)


def examples() -> list[tuple[str, str, bytes, str]]:
    """Method, path, body and answer of each, in order."""
    found = []
    for command, answer in EXAMPLE.findall(PAGE.read_text()):
        words = shlex.split(command.replace("\\\n", " "))
        path = next(word for word in words if word.startswith("$S")).removeprefix("$S")
        body = words[words.index("-d") + 1].encode() if "-d" in words else b""
        found.append(("POST" if body else "GET", path, body, answer))
    return found


def test_each_example_is_answered_as_the_page_says(tmp_path: Path) -> None:
    asked = examples()
    assert len(asked) == 5

    async def story() -> None:
        async with running(tmp_path, FixedClock(1_500_000_000_000)) as store:
            await store.ask("POST", "/settings/kv", 1, caller=DRIVER)
            for method, path, body, answer in asked:
                response = await store.ask(method, path, raw=body, caller=DRIVER)
                assert response.status == 200, path
                text = response.body.decode()
                begin, cut, _ = answer.partition("…")
                assert text.startswith(begin) if cut else text == answer
            refused = await store.ask("GET", "/load/ts/points?limit=0", caller=DRIVER)
            assert [refused.body.decode()] == REFUSAL.findall(PAGE.read_text())

    asyncio.run(story())
