"""Path patterns mean what path-to-regexp 1.7.0 makes of them."""

import random
from collections.abc import Callable
from typing import Any

from databox.wire.patterns import BadPattern, compile_pattern

PATTERN_PARTS = """/ /a /b a b :x /:x :y * /* (a|b) /(a|b) (\\d+) /:n(\\d+) ? + . .:x /:x? /:x*
/:x+ (.*) ([ab]+) ([^a]+) \\* \\: - 1 (a?b) (a|) A ( ) (a\\.b) [ (a /(.*)? /:x?-a (=) (a$) (\\w+)
(\\W) (\\s) (.) // ([^]) ([a-c]) ([\\d-]) (a*?) (\\/) (a{2}) (^a)""".split()  # noqa: SIM905  (one a line would hide them)
PATH_PARTS = "/ a b 1 A x . - * :x /a /b ab 12 // a.b (a|b) = $".split()  # noqa: SIM905


def cases(count: int) -> list[tuple[str, str]]:
    # A fixed seed: the same cases each time, so that a failure can be run again.
    chance = random.Random(1707)
    found = []
    for _ in range(count):
        pattern = "".join(chance.choices(PATTERN_PARTS, k=chance.randint(1, 5)))
        near = pattern.replace("*", chance.choice(["", "a", "/b"])).replace(":x", "a")
        far = "".join(chance.choices(PATH_PARTS, k=chance.randint(0, 6)))
        found += [(pattern, near), (pattern, far)]
    return found


def test_every_pattern_we_take_matches_as_theirs_does(
    ask_node: Callable[[str, Any], Any],
) -> None:
    asked = cases(10_000)
    theirs = ask_node("patterns.mjs", asked)
    taken = 0
    for (pattern, path), expected in zip(asked, theirs, strict=True):
        try:
            compiled = compile_pattern(pattern)
        except BadPattern:
            continue
        taken += 1
        assert compiled.matches(path) is expected, (pattern, path)
    assert taken > len(asked) // 2
