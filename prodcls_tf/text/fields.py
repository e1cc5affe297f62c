"""What the modules of this package take as text."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from prodcls_tf.errors import InputError

# Memory and time grow with the text, some 200 bytes for each of its bytes: without a bound, one
# request of 16 MB would take 3 GB of a server. No product needs as many words.
MAX_BYTES = 1 << 14


def text_fields(fields: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """Returns fields as text to be read, of which only the beginning counts.

    Args:
      fields: what a module of this package was called with.

    Returns:
      The fields, each text cut to its first 16,384 bytes. A character that is cut in two is invalid
      UTF-8, as which its bytes vanish.

    Raises:
      InputError: there is no field, or one is not of shape [batch].

    Example:
      >>> text_fields([tf.constant(["USB cable"])])[0].numpy()
      array([b'USB cable'], dtype=object)
    """
    shapes = [str(tf.convert_to_tensor(field).shape) for field in fields]
    ranks = {tf.convert_to_tensor(field).shape.rank for field in fields}
    if not shapes or not ranks <= {None, 1}:
        raise InputError(
            "Text is given as one or more string tensors of shape [batch]. "
            f"Received shapes: {shapes}. Pass a list of tensors, squeezed to one dimension."
        )
    return [tf.strings.substr(field, 0, MAX_BYTES) for field in fields]
