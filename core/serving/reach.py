"""Links that others can open: the address by which they reach this server."""

import hashlib
import ipaddress
import socket
import uuid
from collections.abc import Iterable
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

EVERYWHERE = ("", "0.0.0.0", "::")  # what a server that listens on all addresses is told
LONGEST = 300  # characters of a link whose QR code can be read across a room


def reachable(url: str, *, listens_on: str, own: str | None) -> str | None:
    """Return a page's URL as others on the network can open it, None if they can't.

    Args:
        url: of the page, as the browser here has it.
        listens_on: the address that the server listens on; one of `EVERYWHERE` for all.
        own: this machine's address on the network, if it has one (see `own_address`).
    """
    parts = urlsplit(url)
    if not is_this_machine(parts.hostname or ""):
        return url
    host = own if listens_on in EVERYWHERE else listens_on
    if host is None or is_this_machine(host):
        return None
    host = f"[{host}]" if ":" in host else host
    port = f":{parts.port}" if parts.port else ""
    return urlunsplit(parts._replace(netloc=host + port))


def is_this_machine(host: str) -> bool:
    """Return whether a host name or address stands for the machine itself, wherever it is used."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_alone(*, listens_on: str, asked_for: Iterable[str], forwarded: bool) -> bool:
    """Return whether a request can only come from the server's own machine.

    Args:
        listens_on: the address that the server listens on.
        asked_for: the hosts that the request names, with or without a port.
        forwarded: whether the request says that a proxy has passed it on.
    """
    try:
        hosts = [urlsplit(f"//{each}").hostname or "" for each in asked_for]
    except ValueError:  # no host has such a name
        return False
    return not forwarded and all(map(is_this_machine, [listens_on, *hosts]))


def own_name(port: int) -> str:
    """Return what tells this server from others behind the same address, also after a restart."""
    machine = hashlib.sha256(str(uuid.getnode()).encode()).hexdigest()[:4]
    return f"{port}-{machine}"


def own_address() -> str | None:
    """Return this machine's address on its network, None without a network. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            # It is set aside for documentation (RFC 5737). UDP only looks up the way there.
            asking.connect(("192.0.2.1", 9))
        except OSError:
            return None
        address: str = asking.getsockname()[0]
    return None if is_this_machine(address) else address


def for_code(link: str, *, picture: str) -> str:
    """Return the link that a QR code holds: one of more than `LONGEST` is without its picture.

    Args:
        link: with its parameters.
        picture: the name of the parameter that holds a picture.
    """
    if len(link) <= LONGEST:
        return link
    parts = urlsplit(link)
    settings = [pair for pair in parse_qsl(parts.query) if pair[0] != picture]
    return urlunsplit(parts._replace(query=urlencode(settings, quote_via=quote)))
