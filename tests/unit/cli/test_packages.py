import pytest

from databox.cli.home import SetupError
from databox.cli.packages import _run, pip_settings, uv_environment

LISTING = """\
:env:.cert='/env.pem'
global.cert='/global.pem'
global.extra-index-url='file:///a file:///b'
global.index-url='https://one.example/simple'
install.index-url='https://two.example/simple'
global.find-links='\\n/wheels\\n/more'
"""


def test_the_strongest_setting_of_pip_wins() -> None:
    settings = pip_settings(LISTING)
    assert settings["cert"] == "/env.pem"
    assert settings["index-url"] == "https://two.example/simple"


def test_uv_is_told_what_pip_was_told() -> None:
    environment = uv_environment(pip_settings(LISTING), {})
    assert environment["UV_DEFAULT_INDEX"] == "https://two.example/simple"
    assert environment["UV_INDEX"] == "file:///a file:///b"
    assert environment["UV_FIND_LINKS"] == "/wheels,/more"
    assert environment["SSL_CERT_FILE"] == "/env.pem"


def test_what_the_user_told_uv_is_kept() -> None:
    environment = uv_environment({"index-url": "https://pip.example"}, {"UV_DEFAULT_INDEX": "mine"})
    assert environment["UV_DEFAULT_INDEX"] == "mine"


def test_no_interpreter_is_ever_downloaded() -> None:
    assert (
        uv_environment({}, {"UV_PYTHON_DOWNLOADS": "automatic"})["UV_PYTHON_DOWNLOADS"] == "never"
    )


def test_a_failed_fetch_says_what_failed_and_what_to_look_at() -> None:
    with pytest.raises(SetupError, match=r"Could not fetch uv:\n(?s:.*)no such thing(?s:.*)pip"):
        _run(("/bin/sh", "-c", "echo no such thing >&2; exit 1"), {}, "fetch uv")
