"""The ports that a server is to listen on. Loads nothing heavy."""

from __future__ import annotations

import socket

from prodcls_tf.errors import SettingsError
from serving.server.config import ServerOptions


def check_ports(options: ServerOptions) -> None:
    """Finds a taken port before minutes go into loading; it is taken when all is loaded.

    Args:
      options: with host and ports.

    Raises:
      SettingsError: the server could not listen there.
    """
    listening_socket(options, options.port, "port").close()
    if options.rest_api_port:
        listening_socket(options, options.rest_api_port, "rest_api_port").close()


def listening_socket(options: ServerOptions, port: int, flag: str) -> socket.socket:
    """Takes a port.

    Args:
      options: with the host.
      port: 0 or less for a free one.
      flag: that names it.

    Returns:
      A socket, bound, to which nobody can connect yet.

    Raises:
      SettingsError: the port is taken, or the host is not this machine's.
    """
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    # asyncio sends without delay on sockets that say of themselves that they are TCP's.
    taken = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    # A port whose last connections still linger is free.
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((options.host.strip("[]"), max(0, port)))
    except OSError as error:
        taken.close()
        raise SettingsError(
            f"The server must be able to listen on {options.host}:{port}. Received: "
            f"{error.strerror}. Name another --{flag} or --host, or stop the program that listens "
            "there."
        ) from None
    return taken
