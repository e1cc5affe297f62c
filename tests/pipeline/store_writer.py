"""Writes to a metadata store from a process of its own: python store_writer.py STORE hold|die

With `hold` it is about to write until a line comes in; with `die` it is killed in mid-write.
"""

from __future__ import annotations

import os
import sqlite3
import sys

store = sqlite3.connect(sys.argv[1], isolation_level=None)
store.execute("begin immediate")
if sys.argv[2] == "hold":
    sys.stdout.write("holding\n")
    sys.stdout.flush()
    sys.stdin.readline()
    os._exit(0)
store.execute("pragma cache_size=1")
store.execute("create table waste as select * from ExecutionProperty")
for _ in range(4):
    store.execute("insert into waste select * from waste")
os._exit(9)
