"""A socket's path is free to bind after its server was killed, and belongs to one server at a time."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from agent.engines.vllm import launch
from memory import unix_sockets
from memory.errors import StoreUnavailable


def test_a_long_path_moves_into_a_private_folder(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 60) / ("y" * 60)
    path = unix_sockets.make_folder(folder, "engine.sock")
    assert len(str(path)) <= unix_sockets.LONGEST
    assert path.parent.stat().st_mode & 0o077 == 0
    path.parent.rmdir()


def test_the_folder_of_a_socket_is_for_its_user_alone(tmp_path: Path) -> None:
    path = unix_sockets.make_folder(tmp_path / "engine", "engine.sock")
    assert path.parent == tmp_path / "engine"
    assert path.parent.stat().st_mode & 0o077 == 0


def test_what_a_killed_server_left_is_removed_before_the_next_one_starts(tmp_path: Path) -> None:
    path = tmp_path / "engine.sock"
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(path))
    code = f"import socket; socket.socket(socket.AF_UNIX).bind({str(path)!r})"
    command = [sys.executable, "-m", launch.__name__, str(path), sys.executable, "-c", code]
    subprocess.run(command, check=True, timeout=60)


def test_a_second_server_does_not_take_the_socket_away(tmp_path: Path) -> None:
    path = tmp_path / "engine.sock"
    code = "import sys; print('up', flush=True); sys.stdin.read()"
    command = [sys.executable, "-m", launch.__name__, str(path), sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == b"up\n"
        path.touch()
        with pytest.raises(SystemExit, match=str(launch.BAD_CONFIGURATION)):
            launch.main([str(path), "true"])
        with pytest.raises(StoreUnavailable, match="another server"):
            unix_sockets.take(path)
        assert path.exists()
        first.communicate(b"")
