"""Python without a network: whatever looks for another machine is noted and refused.

On the path of a process (and of those it starts) as `sitecustomize`. What asks for an
address or a connection raises, and leaves a line in the file NETWORK_CALLS names, so
that a call whose failure nobody looks at is found too. Libraries that are not Python
can't be seen here: that is what a network namespace is for.
"""

import os
import sys

_NOTES = os.environ["NETWORK_CALLS"]
# The place of the address among what Python tells of a call.
_CONNECTIONS = {"socket.connect": 1, "socket.sendto": 1, "socket.sendmsg": 1}
_NAMES = {"socket.getaddrinfo": 0, "socket.gethostbyname": 0, "socket.gethostbyaddr": 0}


def _refuse(event: str, arguments: tuple) -> None:
    if event in _CONNECTIONS:
        address = arguments[_CONNECTIONS[event]]
        # Sockets of the machine itself have the name of a file, or none.
        if address is None or isinstance(address, str | bytes):
            return
    elif event in _NAMES:
        address = arguments[_NAMES[event]]
    else:
        return
    with open(_NOTES, "a", encoding="utf-8") as notes:
        notes.write(f"{event} {address!r}\n")
    raise ConnectionRefusedError(f"no network here: {event} {address!r}")


sys.addaudithook(_refuse)
