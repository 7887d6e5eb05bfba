"""Whether an instance's own uid can reach its folders."""

from pathlib import Path

import msgspec
import pytest

from databox.engines.sandbox.access import check_reach, may_enter
from databox.wire.errors import Unavailable
from databox.wire.runspec import RunSpec

UID = 200_001


def spec(base: Path, uid: int | None) -> RunSpec:
    for name in ("code", "var"):
        (base / name).mkdir(exist_ok=True)
    return RunSpec(name="a", command=("x",), code=base / "code", var=base / "var", uid=uid)


@pytest.mark.parametrize(("mode", "enters"), [(0o700, False), (0o711, True), (0o755, True)])
def test_a_folder_of_another_is_entered_by_its_last_digit(
    tmp_path: Path, mode: int, enters: bool
) -> None:
    tmp_path.chmod(mode)
    assert may_enter(tmp_path.stat(), UID) is enters


def test_a_closed_home_is_named_with_the_cure(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with pytest.raises(Unavailable) as refusal:
        check_reach(spec(tmp_path, UID))
    assert refusal.value.code == "folder-closed"
    assert "chmod o+x" in (refusal.value.remedy or "")


def test_an_ordinary_user_uses_its_own_closed_home(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    check_reach(spec(tmp_path, None))


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    wanted = msgspec.structs.replace(spec(tmp_path, None), peers=tmp_path / "gone")
    with pytest.raises(Unavailable, match="gone"):
        check_reach(wanted)
