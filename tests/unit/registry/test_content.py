import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from databox.registry import content, folder
from databox.wire.errors import BadRequest, TooLarge

names = st.text("abc/.", min_size=1, max_size=6)
packages = st.dictionaries(names, st.binary(max_size=8), max_size=5)


@given(packages, packages)
def test_two_packages_share_a_digest_only_if_they_are_the_same(
    one: dict[str, bytes], other: dict[str, bytes]
) -> None:
    assert (content.digest(one) == content.digest(other)) == (one == other)


@given(packages)
def test_digest_does_not_depend_on_the_order_of_files(files: dict[str, bytes]) -> None:
    assert content.digest(dict(reversed(files.items()))) == content.digest(files)


@given(st.text(max_size=20))
def test_accepted_path_stays_within_the_package(path: str) -> None:
    try:
        content.check({path: b""})
    except BadRequest:
        return
    inside = Path(os.path.normpath(f"/package/{path}"))
    assert inside.is_relative_to("/package")
    assert inside != Path("/package")
    assert str(inside) == f"/package/{path}"


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../key",
        "a/../../key",
        "a//b",
        "./a",
        "a\\b",
        "a\nb",
        "a\x00b",
        "",
        "a" * 301,
        ".env",
        "__pycache__/a.py",
        "a\u0301",
    ],
)
def test_path_that_is_not_plain_is_refused(path: str) -> None:
    with pytest.raises(BadRequest) as caught:
        content.check({path: b""})
    assert caught.value.code == "package-path"


@pytest.mark.parametrize("paths", [("Main.py", "main.py"), ("a", "a/b"), ("A", "a/b")])
def test_names_that_meet_on_some_file_system_are_refused(paths: tuple[str, str]) -> None:
    with pytest.raises(BadRequest):
        content.check(dict.fromkeys(paths, b""))


def test_package_over_its_bounds_is_refused() -> None:
    with pytest.raises(TooLarge):
        content.check({"a": bytes(content.MAX_BYTES + 1)})
    with pytest.raises(TooLarge):
        content.check({str(n): b"" for n in range(content.MAX_FILES + 1)})


def test_folder_is_read_without_what_tools_left_behind(tmp_path: Path) -> None:
    for path in ("main.py", "a/b.py", ".env", "__pycache__/main.pyc"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(path)
    assert folder.read(tmp_path) == {"main.py": b"main.py", "a/b.py": b"a/b.py"}


def test_link_in_a_folder_is_refused_unread(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("secret")
    package = tmp_path / "package"
    package.mkdir()
    (package / "a").symlink_to(outside)
    with pytest.raises(BadRequest, match="plain files only"):
        folder.read(package)


def test_link_to_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "a").symlink_to("/etc", target_is_directory=True)
    with pytest.raises(BadRequest, match="plain files only"):
        folder.read(tmp_path / "package")


def test_pipe_in_a_folder_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadRequest, match="plain files only"):
        folder.read(tmp_path)


def test_folder_over_the_bound_is_not_read_to_its_end(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(TooLarge):
        folder.read(tmp_path)
