"""A box that only remembers what the command line asked of it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from databox.wire.endpoints import BY_NAME, Raw
from databox.wire.errors import DataboxError

ADDRESS = "http://databox.localhost:1"
Answer = Any | Callable[..., Any]


class PretendedClient:
    """Answers each endpoint by what the test gave for it: a value, an error, or a function."""

    address = ADDRESS

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, Any, dict[str, str]]] = []

    def call(self, endpoint: str, message: Any = None, /, query: Any = None, **args: str) -> Any:
        line = BY_NAME[endpoint]
        if line.method == "POST" and message is not None:
            assert isinstance(message, line.request)
        self.asked.append((endpoint, message, args))
        answer = self.answers.get(endpoint)
        if callable(answer):
            answer = answer(message, **args)
        if isinstance(answer, DataboxError):
            raise answer
        assert answer is None or line.reply is Raw or isinstance(answer, line.reply)
        return answer

    def messages(self, endpoint: str) -> list[Any]:
        return [message for name, message, _ in self.asked if name == endpoint]


def pretend(
    monkeypatch: pytest.MonkeyPatch, module: Any, answers: Mapping[str, Answer]
) -> PretendedClient:
    """Let `module` find this box instead of a running one."""
    client = PretendedClient(answers)

    def operator(home: Path) -> None:
        del home

    monkeypatch.setattr(module, "operator", operator)
    monkeypatch.setattr(module, "Client", lambda operator: client)
    return client
