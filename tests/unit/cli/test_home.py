import os
from pathlib import Path

import pytest

from databox.cli.home import SetupError, closed_folder, home_folder, make_home


def test_home_of_root_is_below_var_lib() -> None:
    assert home_folder({}, 0) == Path("/var/lib/databox")


def test_home_of_a_user_follows_the_base_directory_specification() -> None:
    assert home_folder({"HOME": "/home/ana"}, 1000) == Path("/home/ana/.local/share/databox")
    here = {"HOME": "/home/ana", "XDG_DATA_HOME": "/data"}
    assert home_folder(here, 1000) == Path("/data/databox")
    relative = {"HOME": "/home/ana", "XDG_DATA_HOME": "data"}
    assert home_folder(relative, 1000) == Path("/home/ana/.local/share/databox")


def test_home_by_variable_wins_and_must_be_absolute() -> None:
    assert home_folder({"DATABOX_HOME": "/x"}, 0) == Path("/x")
    with pytest.raises(SetupError, match="absolute"):
        home_folder({"DATABOX_HOME": "x"}, 0)


def test_home_that_others_may_write_to_is_refused_with_the_remedy(tmp_path: Path) -> None:
    home = tmp_path / "box"
    home.mkdir()
    home.chmod(0o777)
    with pytest.raises(SetupError, match="chmod go-w"):
        make_home(home, os.getuid())


def test_home_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SetupError, match="cannot be made"):
        make_home(tmp_path / "file" / "box", os.getuid())


def test_home_of_another_user_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="belongs to"):
        make_home(tmp_path, os.getuid() + 1)


def test_home_below_a_closed_folder_names_that_folder(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    (closed / "box").mkdir(parents=True)
    closed.chmod(0o700)
    # pytest's own folder above is closed too; the first one counts.
    found = closed_folder(closed / "box")
    assert found is not None
    assert closed.is_relative_to(found)


@pytest.mark.root
def test_home_that_instances_could_not_reach_is_refused_for_root(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with pytest.raises(SetupError, match="out of reach"):
        make_home(tmp_path / "box", 0)
