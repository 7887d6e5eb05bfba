"""Whose registry a package is fetched from, and that a package has no say in it."""

import subprocess
from pathlib import Path

import pytest

from databox.box import fetch, fetching
from databox.switchboard.places import Place
from databox.wire.errors import BadRequest, Unavailable


def program(folder: Path, name: str, *lines: str) -> None:
    """A stand-in that prints its arguments' answer."""
    file = folder / name
    file.write_text("#!/bin/sh\n" + "\n".join(lines) + "\n")
    file.chmod(0o755)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def test_the_registry_is_the_one_of_npms_own_settings(tools: Path, tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_text("CA")
    program(
        tools, "npm", "echo registry=https://npm.example:4873/some/", f"echo cafile={authority}"
    )
    found = fetching.registry("npm")
    assert found.places == (Place("npm.example", 4873),)
    assert found.environment["npm_config_registry"] == "https://npm.example:4873/some/"
    assert found.environment["npm_config_cafile"] == "/run/secrets/REGISTRY_CA"
    assert found.secrets == {"REGISTRY_CA": b"CA"}
    assert [(name.name, name.address, name.port) for name in found.names] == [
        ("npm.example", "127.0.0.2", 4873)
    ]


def test_no_authority_of_its_own_is_no_secret(tools: Path) -> None:
    program(tools, "npm", "echo registry=https://npm.example/", "echo cafile=null")
    assert fetching.registry("npm").secrets == {}


def test_a_password_is_neither_passed_on_nor_shown(tools: Path) -> None:
    program(tools, "npm", "echo registry=https://ana:hunter2@npm.example/", "echo cafile=null")
    with pytest.raises(BadRequest) as caught:
        fetching.registry("npm")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("address", ["http://npm.example/", "https://192.0.2.1/", "undefined"])
def test_a_registry_that_no_sandbox_can_reach_is_refused(tools: Path, address: str) -> None:
    program(tools, "npm", f"echo registry={address}", "echo cafile=null")
    with pytest.raises(BadRequest):
        fetching.registry("npm")


def test_npm_that_fails_is_told(tools: Path) -> None:
    program(tools, "npm", "exit 1")
    with pytest.raises(Unavailable, match="Try by hand"):
        fetching.registry("npm")


@pytest.mark.parametrize(
    "words", [("sh", "-c", "x"), ("npm", *["x"] * 8), ("pip", "install", "-r", "x" * 200)]
)
def test_only_npm_and_pip_in_few_words_are_run(words: tuple[str, ...]) -> None:
    with pytest.raises(BadRequest):
        fetching.check_words(words)


def test_pip_listings_are_read_with_variables_first() -> None:
    listing = (
        ":env:.index-url='https://b.example/simple'\n"
        "global.index-url='https://a.example/simple'\n"
        "global.cert='/etc/ca.pem'\n"
    )
    assert fetching._pip_settings(listing) == {
        "index-url": "https://b.example/simple",
        "cert": "/etc/ca.pem",
    }


def test_scripts_never_run_and_the_packages_own_settings_are_gone(
    tools: Path, tmp_path: Path
) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / ".npmrc").write_text("registry=https://evil.example/")
    program(tools, "npm", 'echo "$@" > said', "ls -a > there", "mkdir -p node_modules/x")
    fetch.fetch(["npm", "install"], package)
    assert "--ignore-scripts" in (package / "said").read_text().split()
    assert ".npmrc" not in (package / "there").read_text()
    assert not (package / ".room").exists()


def test_what_npm_said_last_is_the_reason(tools: Path, tmp_path: Path) -> None:
    program(tools, "npm", "echo no such package >&2", "exit 1")
    with pytest.raises(ValueError, match="no such package"):
        fetch.fetch(["npm", "install"], tmp_path)


def test_pip_takes_wheels_alone_into_one_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        ran.append(command)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(fetch.subprocess, "run", run)
    fetch.fetch(["pip", "install", "-r", "requirements.txt"], tmp_path)
    assert ran[0][1:3] == ["-m", "venv"]
    assert "--only-binary=:all:" in ran[1]
    assert ran[1][-2:] == ["--target", fetch.INTO]
