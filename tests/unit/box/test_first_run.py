"""The one-time code: good once, for ten minutes, and never shown to others."""

import os
from pathlib import Path

import pytest

from databox.box.first_run import LIFETIME_SECONDS, OneTimeCode
from databox.wire.errors import Denied

ADDRESS = "http://databox.localhost:8989"


def test_code_is_accepted_in_its_time(tmp_path: Path) -> None:
    code = OneTimeCode(tmp_path, os.urandom)
    code.check(code.renew(ADDRESS, 0.0), LIFETIME_SECONDS)


def test_code_is_refused_after_ten_minutes(tmp_path: Path) -> None:
    code = OneTimeCode(tmp_path, os.urandom)
    text = code.renew(ADDRESS, 0.0)
    with pytest.raises(Denied):
        code.check(text, LIFETIME_SECONDS + 1)


def test_code_before_a_renewal_is_worthless(tmp_path: Path) -> None:
    code = OneTimeCode(tmp_path, os.urandom)
    old = code.renew(ADDRESS, 0.0)
    code.renew(ADDRESS, 1.0)
    with pytest.raises(Denied):
        code.check(old, 2.0)


@pytest.mark.parametrize("wrong", ["", "0" * 32, "é"])
def test_other_code_is_refused(tmp_path: Path, wrong: str) -> None:
    code = OneTimeCode(tmp_path, os.urandom)
    code.renew(ADDRESS, 0.0)
    with pytest.raises(Denied):
        code.check(wrong, 0.0)


def test_empty_code_is_refused_before_there_is_one(tmp_path: Path) -> None:
    with pytest.raises(Denied):
        OneTimeCode(tmp_path, os.urandom).check("", 0.0)


def test_files_are_private_and_go_with_the_code(tmp_path: Path) -> None:
    code = OneTimeCode(tmp_path, os.urandom)
    text = code.renew(ADDRESS, 0.0)
    page = tmp_path / "open.html"
    assert f"{ADDRESS}/#code={text}" in page.read_text()
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    code.forget()
    assert list(tmp_path.iterdir()) == []
