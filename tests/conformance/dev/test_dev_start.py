"""Starting `databox dev`: what it refuses, and in which words."""

import base64
import socket
import subprocess
from pathlib import Path

import pytest
from tests.conformance.dev.development import CM_KEY, STORES, Development, command


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    file = tmp_path / "cm.key"
    file.write_text(CM_KEY)
    file.chmod(0o600)
    return file


def refusal(arbiter: str, *words: str) -> str:
    done = subprocess.run(**command("--arbiter", arbiter, *words), timeout=20, check=False)
    assert done.returncode == 1
    assert "https://" not in done.stdout
    assert "Traceback" not in done.stderr
    return str(done.stderr)


def test_certificates_are_checked_against_the_printed_authority(dev: Development) -> None:
    assert set(dev.ports) == {"arbiter", *STORES}
    for service in dev.ports:
        assert dev.ask(service, "GET", "/status", "").status in (200, 401)


def test_key_file_that_others_can_read_is_refused(key_file: Path) -> None:
    key_file.chmod(0o644)
    said = refusal("127.0.0.1:0", "--cm-key-file", str(key_file))
    assert "others can read the key file" in said
    assert f"chmod 600 {key_file}" in said


def test_key_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    said = refusal("127.0.0.1:0", "--cm-key-file", str(tmp_path / "none"))
    assert "there is no such key file" in said


def test_key_that_is_too_short_is_refused_and_never_shown(key_file: Path) -> None:
    short = base64.b64encode(b"short").decode()
    key_file.write_text(short)
    said = refusal("127.0.0.1:0", "--cm-key-file", str(key_file))
    assert "not base64 of 32 bytes" in said
    assert short not in said


@pytest.mark.parametrize("where", ["192.0.2.7:0", "0.0.0.0:0", "[::]:0"])
def test_address_off_loopback_is_refused(key_file: Path, where: str) -> None:
    said = refusal(where, "--cm-key-file", str(key_file))
    assert "loopback alone" in said


def test_taken_port_is_told_by_address(key_file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        said = refusal(f"127.0.0.1:{port}", "--cm-key-file", str(key_file))
    assert f"cannot listen at 127.0.0.1 port {port}" in said


@pytest.mark.parametrize("name", ["Demo", "1st", "a_b", "arbiter", ""])
def test_store_with_an_unusable_name_is_refused(key_file: Path, name: str) -> None:
    words = ("--store", f"{name}=127.0.0.1:0", "--cm-key-file", str(key_file))
    assert "name" in refusal("127.0.0.1:0", *words)


def test_two_stores_of_one_name_are_refused(key_file: Path) -> None:
    twice = ("--store", "demo=127.0.0.1:0") * 2
    said = refusal("127.0.0.1:0", *twice, "--cm-key-file", str(key_file))
    assert "two services have one name (found: demo)" in said
