"""`python -m serving.server --model_base_path=...`: the embedded server without a command line.

The flags are those of `serving/server/config.py`. Exit codes: 0 it was ended by a signal, 1 that
cut requests off, 2 it cannot be started as asked.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings

from serving.server.logs import log_to
from serving.server.stopping import StopSignals, leave

logger = logging.getLogger("serving.server")


def main() -> int:
    """Runs the server; returns the exit code."""
    # The C++ of both writes past the log: TensorFlow errors about GPUs that are not there, gRPC
    # each handshake that failed. What makes a load or a request fail is an exception, too.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    # Of what libraries will do in later versions.
    warnings.simplefilter("ignore", FutureWarning)
    log_to(sys.stderr)
    with StopSignals() as signals:
        from prodcls_tf.errors import ProdclsError
        from serving.server.flags import parse_flags
        from serving.server.server import EmbeddedServer, serve

        try:
            return serve(EmbeddedServer(parse_flags(sys.argv[1:])), signals)
        except ProdclsError as error:
            logger.error("%s", error)
            return 2


if __name__ == "__main__":
    try:
        code = main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    leave(code)
