import pytest

from databox.manager.shelf import MAX_UPLOAD, check_files
from databox.wire.errors import BadRequest, TooLarge


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../up", "a/../../b", "", "a\nb", "a\\b", "a\x00b", "x" * 301]
)
def test_a_hostile_file_name_is_refused(path):
    with pytest.raises(BadRequest, match="file name"):
        check_files({path: b""})


def test_two_names_that_differ_in_case_only_are_refused():
    with pytest.raises(BadRequest):
        check_files({"Main.py": b"", "main.py": b""})


def test_too_much_is_refused():
    with pytest.raises(TooLarge):
        check_files({"a": bytes(MAX_UPLOAD + 1)})


def test_a_plain_folder_passes():
    assert check_files({"main.py": b"", "data/x.txt": b"1"}) is None
