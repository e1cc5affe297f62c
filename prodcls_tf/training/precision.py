"""Which arithmetic a training uses, and where."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import tensorflow as tf

from prodcls_tf.errors import SettingsError

Precision = Literal["auto", "float32", "bfloat16", "float16"]

# TensorFlow's graph rewriter that lets oneDNN compute matrix products in bfloat16 on a CPU.
_CPU_BFLOAT16 = "auto_mixed_precision_onednn_bfloat16"
_CPU_FLAGS = ("avx512_bf16", "amx_bf16")
# Ampere and later have bfloat16, whose range needs no loss scaling.
_BFLOAT16_CAPABILITY = (8, 0)


def resolve_precision(setting: Precision) -> Literal["float32", "bfloat16", "float16"]:
    """Says what `auto` means on this machine.

    Args:
      setting: `auto` takes the fastest that this device gains from.

    Returns:
      The precision of matrix products; weights and logits are float32 in any case.

    Raises:
      SettingsError: float16 is asked for where there is no GPU.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if setting == "float16" and not gpus:
        raise SettingsError(
            "training.precision float16 needs a GPU. Received no GPU. Use auto, bfloat16 or "
            "float32."
        )
    if setting != "auto":
        return setting
    if gpus:
        details = tf.config.experimental.get_device_details(gpus[0])
        capable = details.get("compute_capability", (0, 0)) >= _BFLOAT16_CAPABILITY
        return "bfloat16" if capable else "float16"
    return "bfloat16" if cpu_has_bfloat16() else "float32"


def cpu_has_bfloat16() -> bool:
    """Says whether this CPU multiplies bfloat16 in hardware (Linux only; False elsewhere)."""
    try:
        words = set(Path("/proc/cpuinfo").read_text(encoding="ascii", errors="ignore").split())
    except OSError:
        return False
    return any(flag in words for flag in _CPU_FLAGS)


@contextlib.contextmanager
def precision_scope(precision: Literal["float32", "bfloat16", "float16"]) -> Iterator[None]:
    """Models built and functions traced within compute in this precision; outside as before.

    Args:
      precision: as `resolve_precision` returned it.
    """
    if precision == "float32":
        yield
        return
    if not tf.config.list_physical_devices("GPU"):
        # A rewrite of the traced graph: models stay float32 and need not be built anew.
        before = tf.config.optimizer.get_experimental_options().get(_CPU_BFLOAT16, False)
        tf.config.optimizer.set_experimental_options({_CPU_BFLOAT16: True})
        try:
            yield
        finally:
            tf.config.optimizer.set_experimental_options({_CPU_BFLOAT16: before})
        return
    policy = tf.keras.mixed_precision.global_policy()
    tf.keras.mixed_precision.set_global_policy(f"mixed_{precision}")
    try:
        yield
    finally:
        tf.keras.mixed_precision.set_global_policy(policy)
