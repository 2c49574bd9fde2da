"""The app behind nginx, as deploy/nginx/small-change.conf sets it up, in a real browser."""

import base64
import os
import re
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPSConnection
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser import nginx
from tests.browser.conftest import PATIENCE, ROOT, serve
from tests.browser.draw_page import (
    SEVEN,
    NewContext,
    draw,
    expect_address,
    expect_seen,
    open_page,
    widget,
)

CONFIGURATION = (ROOT / "deploy" / "nginx" / "small-change.conf").read_text("utf-8")
NAME, USER, PASSWORD = "localhost", "class", "a word for all"
MAIN = """
{user}
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    include {types};
    log_format upstream '$cookie_small_change_server|$upstream_addr|$status|$request_uri';
    access_log {folder}/access.log upstream;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    include {folder}/small-change.conf;
}}
"""


@dataclass(frozen=True)
class Proxy:
    """A running nginx.

    Attributes:
        port: that it listens on.
        log: its access log: the browser's cookie, the server, the status, the address.
    """

    port: int
    log: Path

    @property
    def url(self) -> str:
        """The address of the app."""
        return f"https://{NAME}:{self.port}"

    def ask(self, path: str = "/", *, host: str = NAME, password: str = PASSWORD) -> Message:
        """Return the headers of a path, with the status among them; no password if it is empty."""
        headers = {"Host": f"{host}:{self.port}"}
        if password:
            word = base64.b64encode(f"{USER}:{password}".encode()).decode()
            headers["Authorization"] = f"Basic {word}"
        trusting = ssl._create_unverified_context()
        with closing(HTTPSConnection(NAME, self.port, context=trusting)) as connection:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            answer.headers["Status"] = str(answer.status)
            return answer.headers


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def made_ours(text: str, folder: Path, port: int, servers: list[str], path: str) -> str:
    """Return the configuration with the lines changed that are each site's own."""
    ours = {
        r"listen 443": f"listen 127.0.0.1:{port}",
        r"server 127\.0\.0\.1:\d+;  # yours.*\n": "",
        r"(upstream small_change \{\n)": r"\1" + "".join(f"server {each};" for each in servers),
        r"digits\.example\.edu": NAME,
        r"/etc/ssl/certs/digits\.pem": f"{folder}/cert.pem",
        r"/etc/ssl/private/digits\.key": f"{folder}/key.pem",
        r"/etc/nginx/small-change\.htpasswd": f"{folder}/htpasswd",
        r"location / \{": f"location {path} {{",
    }
    for pattern, replacement in ours.items():
        text, count = re.subn(pattern, replacement, text)
        assert count, pattern
    return text


@contextmanager
def proxied(folder: Path, servers: list[str], path: str = "/") -> Iterator[Proxy]:
    """Start nginx with our configuration before servers of the app."""
    binary = nginx.find()
    if binary is None:
        if os.environ.get("CI"):
            pytest.fail("no nginx: in CI its tests must run")
        pytest.skip("no nginx; `python -m tests.browser.nginx` gets one")
    port = free_port()
    text = made_ours(CONFIGURATION, folder, port, servers, path)
    (folder / "small-change.conf").write_text(text, "utf-8")
    types = next(each for each in Path("/etc/nginx").glob("mime.types"))
    (folder / "nginx.conf").write_text(
        MAIN.format(
            # Another user could not read what pytest has written.
            user="user root;" if os.geteuid() == 0 else "",
            folder=folder,
            types=types,
        ),
        "utf-8",
    )
    certificate = ["-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={NAME}"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run(
        ["openssl", "req", "-x509", *certificate, *files], check=True, capture_output=True
    )
    hashed = subprocess.check_output(["openssl", "passwd", "-apr1", PASSWORD], text=True)
    (folder / "htpasswd").write_text(f"{USER}:{hashed}", "utf-8")
    folder.chmod(0o755)
    command = [binary, "-p", str(folder), "-c", str(folder / "nginx.conf")]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as running:
        try:
            proxy = Proxy(port, folder / "access.log")
            while True:
                assert running.poll() is None, (folder / "error.log").read_text()
                try:
                    proxy.ask("/_stcore/health")
                    break
                except ConnectionError:
                    time.sleep(0.1)
            yield proxy
        finally:
            running.terminate()


@pytest.fixture(scope="module")
def two_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """Two servers of the app behind nginx."""
    with serve() as first, serve() as second:
        servers = [url.removeprefix("http://") for url in (first, second)]
        with proxied(tmp_path_factory.mktemp("nginx"), servers) as proxy:
            yield proxy


@pytest.mark.thorough
def test_only_those_who_know_the_password_are_served(two_servers: Proxy) -> None:
    assert two_servers.ask()["Status"] == "200"
    assert two_servers.ask(password="")["Status"] == "401"
    assert two_servers.ask(password="another word")["Status"] == "401"


@pytest.mark.thorough
def test_only_the_site_s_own_name_is_served(two_servers: Proxy) -> None:
    assert two_servers.ask(host="evil.example")["Status"] == "421"
    refusing = ssl._create_unverified_context()
    with (
        socket.create_connection(("127.0.0.1", two_servers.port)) as plain,
        pytest.raises(ssl.SSLError),
    ):
        refusing.wrap_socket(plain, server_hostname="evil.example")


@pytest.mark.thorough
@pytest.mark.parametrize("path", ["/_stcore/metrics", "/_stcore/agent/openapi.json"])
def test_what_the_server_counts_is_closed(two_servers: Proxy, path: str) -> None:
    assert two_servers.ask(path)["Status"] == "404"
    assert two_servers.ask("/_stcore/health")["Status"] == "200"


@pytest.mark.thorough
def test_frames_are_for_the_course_pages_alone(two_servers: Proxy) -> None:
    policy = two_servers.ask()["Content-Security-Policy"]
    assert policy == "frame-ancestors 'self' https://moodle.example.edu"


def test_a_class_on_two_servers_and_each_browser_on_one(
    new_context: NewContext, two_servers: Proxy
) -> None:
    settings = {
        "ignore_https_errors": True,
        "http_credentials": {"username": USER, "password": PASSWORD},
    }
    people = 2
    for _ in range(people):
        page = new_context(**settings).new_page()
        open_page(page, f"{two_servers.url}/?digit=0", "attack")
        expect_seen(page, 7)
        page.reload()
        expect_seen(page, 7)
    page = new_context(**settings).new_page()
    open_page(page, two_servers.url, "attack")
    draw(page, SEVEN)
    expect_address(page, "pixels=")
    expect_seen(page, 7)
    seen: dict[str, set[str]] = {}
    for line in two_servers.log.read_text().splitlines():
        cookie, server, status, address = line.split("|")
        if cookie != "-" and server != "-":
            seen.setdefault(cookie, set()).add(server)
        if address.startswith("/_stcore/stream"):
            assert status == "101"  # each websocket came through
    assert len(seen) == people + 1
    assert all(len(servers) == 1 for servers in seen.values())


@pytest.mark.thorough(left_out=True)
def test_the_app_works_under_a_path(new_context: NewContext, tmp_path: Path) -> None:
    with serve(path="/digits") as url:
        server = url.removeprefix("http://").removesuffix("/digits")
        with proxied(tmp_path, [server], path="/digits/") as proxy:
            page = new_context(
                ignore_https_errors=True,
                http_credentials={"username": USER, "password": PASSWORD},
            ).new_page()
            open_page(page, f"{proxy.url}/digits/remedies?networks=report", "against")
            page.set_viewport_size({"width": 390, "height": 844})
            link = page.locator(".st-key-narrow a").first
            with page.context.expect_page() as opened:
                link.click()
            opened.value.set_default_timeout(PATIENCE)
            expect(widget(opened.value, "attack")).to_be_visible()
            assert opened.value.url.startswith(f"{proxy.url}/digits/?model=report")
            open_page(page, f"{proxy.url}/digits/lesson?step=8&answers=-------1", "lesson_seen")
            page.get_by_role("link", name="Attack the whole test set").click()
            expect(widget(page, "images")).to_be_visible()
            assert page.url.startswith(f"{proxy.url}/digits/test_set")
