"""Python imports this by itself when its folder is on PYTHONPATH: no connection leaves this machine any more.

`python3 -m edu_diffusion test` puts it there, so that pytest and every notebook kernel are covered;
conftest.py runs it for a bare `pytest`. An audit hook cannot be removed, and it sees every socket that
Python code opens.
"""

import ipaddress
import socket
import sys


def local(host):
    """Return whether a host is this machine."""
    if host in (None, "", b"", "localhost", b"localhost", socket.gethostname()):
        return True
    text = host.decode() if isinstance(host, bytes) else str(host)
    try:
        return ipaddress.ip_address(text.split("%")[0]).is_loopback or text in ("0.0.0.0", "::")
    except ValueError:
        return False


def refuse(event, arguments):
    if event == "socket.getaddrinfo" and not local(arguments[0]):
        raise RuntimeError(f"the network is blocked in tests: {arguments[0]}")
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = arguments[1]
        if isinstance(address, tuple) and not local(address[0]):
            raise RuntimeError(f"the network is blocked in tests: {address[0]}")


if not hasattr(sys, "_edu_diffusion_offline"):
    sys._edu_diffusion_offline = True
    sys.addaudithook(refuse)
