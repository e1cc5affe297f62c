"""What the modules of this package take as text."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from prodcls_tf.errors import InputError


def check_fields(fields: Sequence[tf.Tensor]) -> None:
    """Refuses fields that no text can be read from.

    Args:
      fields: what a module of this package was called with.

    Raises:
      InputError: there is no field, or one is not of shape [batch].

    Example:
      >>> check_fields([tf.constant(["USB cable"])])
    """
    shapes = [str(tf.convert_to_tensor(field).shape) for field in fields]
    ranks = {tf.convert_to_tensor(field).shape.rank for field in fields}
    if not shapes or not ranks <= {None, 1}:
        raise InputError(
            "Text is given as one or more string tensors of shape [batch]. "
            f"Received shapes: {shapes}. Pass a list of tensors, squeezed to one dimension."
        )
