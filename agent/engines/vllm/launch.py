"""Starts a vLLM server on a Unix socket: `python -m agent.engines.vllm.launch SOCKET COMMAND...`.

vLLM does not remove the socket of a server that was killed, and could not bind it again.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from memory.errors import StoreUnavailable
from memory.unix_sockets import take

BAD_CONFIGURATION = 2


def main(arguments: Sequence[str]) -> None:
    """Becomes the server. Ends the process if another one listens on the socket."""
    socket, *command = arguments
    try:
        take(Path(socket))
    except StoreUnavailable as error:
        print(f"nightschool engine: {error}", file=sys.stderr, flush=True)
        sys.exit(BAD_CONFIGURATION)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
