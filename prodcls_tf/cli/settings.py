"""`prodcls settings`: all settings as YAML, to start a file of one's own from."""

from __future__ import annotations

from prodcls_tf.cli import options, terminal


def settings(config: options.Config = None, set_: options.Set = None) -> None:
    """Print all settings as YAML: a file to start from.

    Example: prodcls settings > my.yaml
    """
    values = options.load_settings(config, set_)
    terminal.out().print(values.to_yaml(), end="", markup=False, soft_wrap=True)
