"""Routes: which handler, what its placeholders stand for, and what is refused."""

import pytest

from databox.kit.http import Request, Response, Router
from databox.wire.errors import BadRequest


def ask(routes: Router, method: str, path: str) -> tuple[int, str, dict[str, str]]:
    """The status, the name of the handler, and the placeholders."""
    request = Request(method, path, "", {}, path)
    answer = routes.resolve(request).handler(request)
    assert isinstance(answer, Response)
    return answer.status, answer.content_type, dict(request.args)


def routes(*table: tuple[str, str], any_case: bool = False) -> Router:
    made = Router()
    for method, pattern in table:
        made.add(
            method,
            pattern,
            lambda request, name=pattern: Response(200, b"", name),
            any_case=any_case,
        )
    return made


STORE = routes(
    ("GET", "/"),
    ("GET", "/status"),
    ("GET", "/cat"),
    ("POST", "/cat"),
    ("POST", "/{ds}/ts"),
    ("GET", "/{ds}/ts/latest"),
    ("GET", "/{key}/kv"),
    ("POST", "/{key}/kv"),
    ("GET", "/sub/{ds}/ts"),
    ("GET", "/files/{rest...}"),
    any_case=True,
)


@pytest.mark.parametrize(
    ("method", "path", "pattern", "args"),
    [
        ("GET", "/", "/", {}),
        ("GET", "/status", "/status", {}),
        ("GET", "/status/", "/status", {}),
        ("GET", "/Status", "/status", {}),
        ("HEAD", "/status", "/status", {}),
        ("GET", "/Lamp/TS/Latest", "/{ds}/ts/latest", {"ds": "Lamp"}),
        ("GET", "/status/kv", "/{key}/kv", {"key": "status"}),
        ("GET", "/sub/lamp/ts", "/sub/{ds}/ts", {"ds": "lamp"}),
        ("GET", "/sub/ts/latest", "/{ds}/ts/latest", {"ds": "sub"}),
        ("POST", "/sub/kv", "/{key}/kv", {"key": "sub"}),
        ("GET", "/files", "/files/{rest...}", {"rest": ""}),
        ("GET", "/files/", "/files/{rest...}", {"rest": ""}),
        ("GET", "/files/a//b", "/files/{rest...}", {"rest": "a//b"}),
        ("GET", "/a b/kv", "/{key}/kv", {"key": "a b"}),
    ],
)
def test_a_path_finds_its_handler(method, path, pattern, args):
    assert ask(STORE, method, path) == (200, pattern, args)
    assert ask(STORE, method, path) == (200, pattern, args), "also when remembered"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "//kv", 404),
        ("GET", "/status//", 404),
        ("GET", "/lamp/ts/latest/more", 404),
        ("GET", "/lamp/ts", 405),
        ("DELETE", "/lamp/kv", 405),
        ("HEAD", "/lamp/ts", 405),
    ],
)
def test_what_is_not_served_is_told_apart(method, path, status):
    assert ask(STORE, method, path)[0] == status


def test_case_matters_unless_a_route_says_otherwise():
    strict = routes(("GET", "/api/Apps"))
    assert ask(strict, "GET", "/api/Apps")[0] == 200
    assert ask(strict, "GET", "/api/apps")[0] == 404


def test_allow_names_every_method_of_the_path():
    request = Request("DELETE", "/lamp/kv", "", {}, "/lamp/kv")
    answer = STORE.resolve(request).handler(request)
    assert isinstance(answer, Response)
    assert answer.header("allow") == "GET, HEAD, POST"


@pytest.mark.parametrize("path", ["/a/../status", "/./status", "/..", "/a%2Fb/kv"])
def test_a_path_that_two_readers_see_differently_is_refused(path):
    with pytest.raises(BadRequest, match="two ways"):
        ask(STORE, "GET", path)


@pytest.mark.parametrize("pattern", ["/status", "/STATUS"])
def test_a_route_is_given_once(pattern):
    made = routes(("GET", "/status"), any_case=True)
    with pytest.raises(ValueError, match="already"):
        made.add("GET", pattern, lambda request: Response(200), any_case=True)


def test_nothing_follows_a_tail():
    with pytest.raises(ValueError, match="tail"):
        routes(("GET", "/{rest...}/more"))


def test_paths_chosen_by_callers_are_not_remembered_without_bound():
    made = routes(("GET", "/{name}"))
    for number in range(2000):
        ask(made, "GET", f"/{number}")
    ask(made, "GET", "/" + "x" * 5000)
    assert len(made._kept) <= 512
    assert all(len(path) <= 200 for _, path in made._kept)


def test_a_handler_cannot_change_what_the_next_request_sees():
    made = routes(("GET", "/{name}"))
    request = Request("GET", "/a", "", {}, "/a")
    made.resolve(request)
    with pytest.raises(TypeError):
        request.args["name"] = "b"


def test_a_route_added_later_is_found_although_its_path_was_asked_before():
    made = routes(("GET", "/a"))
    assert ask(made, "GET", "/b")[0] == 404
    made.add("GET", "/b", lambda request: Response(200))
    assert ask(made, "GET", "/b")[0] == 200
