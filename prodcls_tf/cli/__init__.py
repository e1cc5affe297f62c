"""The command line: one file a command, each of which imports what it needs when it is called.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | done, but the answer is no: the model was not good enough to push, `doctor` found a fault |
| 2 | it cannot be done as asked: options, settings, product files, models, output folders |
| 3 | a fault of prodcls itself; the message says where the log is |
| 130 | interrupted from the keyboard |
"""

from __future__ import annotations

from prodcls_tf.cli.app import main

__all__ = ["main"]
