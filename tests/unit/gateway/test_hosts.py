import pytest

from databox.gateway.hosts import Misdirected, Origins, check_api_call, check_page
from databox.wire.errors import BadRequest, Denied

ORIGINS = Origins(8989)
LABEL = "abcdefghijklmnopqrstuvwxyz"


def test_the_dashboard_answers_under_its_own_name_only():
    assert ORIGINS.label_of("databox.localhost:8989", ()) == ""


def test_a_live_screen_answers_under_its_label():
    assert ORIGINS.label_of(f"{LABEL}.localhost:8989", {LABEL}) == LABEL


@pytest.mark.parametrize(
    "host",
    [
        "",
        "databox.localhost",
        "databox.localhost:80",
        "DATABOX.localhost:8989",
        "databox.localhost.:8989",
        "localhost:8989",
        "127.0.0.1:8989",
        "evil.example:8989",
        f"{LABEL}.localhost:8989",
        f"{LABEL}.databox.localhost:8989",
        "databox.localhost:8989, evil.example",
    ],
)
def test_any_other_name_is_misdirected(host):
    with pytest.raises(Misdirected):
        ORIGINS.label_of(host, ())


OWN = {"sec-fetch-site": "same-origin", "origin": ORIGINS.shell, "content-type": "application/json"}


def test_the_dashboards_own_calls_pass():
    assert check_api_call("POST", OWN, ORIGINS) is None
    assert check_api_call("GET", {"sec-fetch-site": "same-origin"}, ORIGINS) is None


def test_a_websocket_needs_the_dashboards_origin():
    upgrade = {"upgrade": "websocket", "origin": ORIGINS.shell}
    assert check_api_call("GET", upgrade, ORIGINS) is None
    with pytest.raises(Denied):
        check_api_call("GET", {**upgrade, "origin": "http://databox.localhost:9999"}, ORIGINS)


def test_the_command_line_passes_to_its_proof():
    assert check_api_call("POST", {"content-type": "application/json"}, ORIGINS) is None
    assert check_api_call("GET", {}, ORIGINS) is None


@pytest.mark.parametrize("kind", [None, "", "text/plain", "application/x-www-form-urlencoded"])
@pytest.mark.parametrize("headers", [OWN, {}])
def test_a_change_says_that_its_body_is_json(headers, kind):
    changed = {**headers, "content-type": kind} if kind is not None else {**headers}
    if kind is None:
        changed.pop("content-type", None)
    with pytest.raises(BadRequest) as refused:
        check_api_call("POST", changed, ORIGINS)
    assert refused.value.field == "content-type"


@pytest.mark.parametrize(
    "changes",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"origin": "http://databox.localhost:9999"},
        {"origin": "null"},
        {"origin": None},
        {"sec-fetch-site": None},
    ],
)
def test_a_call_made_by_another_page_is_refused(changes):
    headers = {k: v for k, v in {**OWN, **changes}.items() if v is not None}
    with pytest.raises(Denied):
        check_api_call("POST", headers, ORIGINS)


def test_the_dashboard_is_not_shown_in_a_frame():
    with pytest.raises(Denied):
        check_page({"sec-fetch-dest": "iframe"})
