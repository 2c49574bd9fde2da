"""What deploy/ has besides nginx's configuration: a container's steps and systemd's unit."""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.browser.conftest import wait_until_healthy

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
GUIDE = (ROOT / "docs" / "deploy.md").read_text("utf-8")


def steps(word: str) -> list[str]:
    """Return the container's steps of one kind, without the word."""
    text = (DEPLOY / "Containerfile").read_text("utf-8").replace("\\\n", " ")
    return [line.removeprefix(f"{word} ") for line in text.splitlines() if line.startswith(word)]


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def healthy(command: list[str], folder: Path, port: int) -> None:
    """Fail if a command does not start a server on this port."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL
    ) as server:
        try:
            wait_until_healthy(server, f"http://127.0.0.1:{port}")
            with urlopen(f"http://127.0.0.1:{port}/") as page:
                assert b"<title>" in page.read()
        finally:
            server.terminate()


def test_the_container_s_steps_leave_an_app_that_starts(tmp_path: Path) -> None:
    """Run them without an engine, in a copy; the packages are installed already."""
    app = tmp_path / "app"
    tracked = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT).decode().split("\0")
    for name in filter(None, tracked):
        (app / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, app / name)
    install, *others = steps("RUN")
    assert install.startswith("python -m pip install") and "-r requirements.txt" in install
    own = [step for step in others if "useradd" not in step]
    assert own == ["python -m core data"]
    subprocess.run([sys.executable, *shlex.split(own[0])[1:]], cwd=app, check=True)
    assert (app / "data" / "MNIST" / "raw" / "train-images-idx3-ubyte").exists()
    port = free_port()
    (command,) = steps("CMD")
    listening = [sys.executable, *json.loads(command)[1:], f"--server.port={port}"]
    healthy(listening, app, port)


def test_the_container_is_asked_for_what_the_server_answers() -> None:
    (port,) = steps("EXPOSE")
    (check,) = steps("HEALTHCHECK")
    code = json.loads(check.removeprefix("CMD "))[-1]
    assert f":{port}/_stcore/health" in code
    compile(code, "healthcheck", "exec")


def test_the_container_leaves_out_what_is_not_in_the_project() -> None:
    ignored = (ROOT / ".gitignore").read_text("utf-8").splitlines()
    left_out = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert {".git", "models/kept"} <= set(left_out)
    assert "models/kept/" in ignored


def unit() -> dict[str, list[str]]:
    """Return the settings of systemd's unit."""
    settings: dict[str, list[str]] = {}
    for line in (DEPLOY / "small-change@.service").read_text("utf-8").splitlines():
        if found := re.match(r"(\w+)=(.*)", line):
            settings.setdefault(found[1], []).append(found[2])
    return settings


def test_the_unit_s_command_starts_a_server() -> None:
    port = free_port()
    (folder,) = unit()["WorkingDirectory"]
    (command,) = unit()["ExecStart"]
    binary = f"{folder}/.venv/bin/streamlit"
    assert command.startswith(binary)
    ours = command.replace(binary, f"{sys.executable} -m streamlit").replace("%i", str(port))
    healthy(shlex.split(ours), ROOT, port)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_knows_every_setting_of_the_unit(tmp_path: Path) -> None:
    text = (DEPLOY / "small-change@.service").read_text("utf-8")
    here = re.sub(r"ExecStart=\S+", "ExecStart=/bin/true", text)
    here = here.replace("/opt/small-change", str(ROOT)).replace("User=small-change", "User=root")
    file = tmp_path / "small-change@8501.service"
    file.write_text(here, "utf-8")
    checked = subprocess.run(
        ["systemd-analyze", "verify", str(file)], capture_output=True, text=True, check=False
    )
    assert "small-change" not in checked.stderr, checked.stderr


def test_the_guide_names_what_there_is() -> None:
    for file in ("nginx/small-change.conf", "small-change@.service", "Containerfile"):
        assert f"deploy/{file}" in GUIDE
        assert (DEPLOY / file).exists()
