"""`python -m prodcls_tf.cli` is the same as `prodcls`."""

from __future__ import annotations

import sys

from prodcls_tf.cli.app import main

sys.exit(main())
