"""A request against the signature that it names: which one, which inputs, which outputs.

Messages begin as TF Serving's do. It leaves wrong types and shapes to the graph, which says little
to a client; here they are found before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow.core.framework.tensor_shape_pb2 import TensorShapeProto
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef
from tensorflow_serving.apis.model_pb2 import ModelSpec

from serving.server.servable import Servable
from serving.server.status import Code, ServingError
from serving.server.tensors import to_array, type_number

DEFAULT_SIGNATURE = "serving_default"


def signature_key(spec: ModelSpec) -> str:
    """Returns the name of the signature that is meant."""
    return spec.signature_name or DEFAULT_SIGNATURE


def predict_signature(servable: Servable, key: str) -> SignatureDef:
    """Finds the signature of a Predict call.

    Raises:
      ServingError: FAILED_PRECONDITION, there is none of that name.
    """
    return _signature(
        servable, key, Code.FAILED_PRECONDITION, f'Serving signature key "{key}" not found.'
    )


def rest_signature(servable: Servable, key: str) -> SignatureDef:
    """Finds the signature of a REST predict call.

    Raises:
      ServingError: INVALID_ARGUMENT, there is none of that name.
    """
    message = f'Serving signature name: "{key}" not found in signature def.'
    return _signature(servable, key, Code.INVALID_ARGUMENT, message)


def example_signature(servable: Servable, key: str) -> SignatureDef:
    """Finds the signature of a Classify or Regress call.

    Raises:
      ServingError: INVALID_ARGUMENT, there is none of that name.
    """
    message = f"No signature was found with the name: {key}."
    return _signature(servable, key, Code.INVALID_ARGUMENT, message)


def parsed_inputs(
    signature: SignatureDef, tensors: Mapping[str, TensorProto]
) -> dict[str, np.ndarray]:
    """Reads the inputs of a Predict call, those with a default value included.

    Args:
      signature: which inputs there must be.
      tensors: what was sent, by alias.

    Returns:
      All inputs of the signature, by alias.

    Raises:
      ServingError: INVALID_ARGUMENT, one is missing, unknown or no tensor, or `checked` says no.
    """
    _check_aliases(signature, tensors)
    return _fitting(signature, {name: to_array(sent, name) for name, sent in tensors.items()})


def checked(signature: SignatureDef, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Checks names, types and shapes of inputs.

    Args:
      signature: which inputs there must be.
      arrays: inputs by alias.

    Returns:
      All inputs of the signature, by alias: those given, and default values for others.

    Raises:
      ServingError: INVALID_ARGUMENT, an input does not fit the signature.
    """
    _check_aliases(signature, arrays)
    return _fitting(signature, dict(arrays))


def chosen_outputs(signature: SignatureDef, output_filter: Sequence[str]) -> list[str]:
    """Finds the outputs that are wanted.

    Args:
      signature: which outputs there are.
      output_filter: the aliases that were asked for; none for all.

    Returns:
      The aliases.

    Raises:
      ServingError: INVALID_ARGUMENT, an alias is unknown or repeated.
    """
    seen: list[str] = []
    for alias in output_filter:
        if alias not in signature.outputs:
            raise _invalid(
                f"output tensor alias not found in signature: {alias} Outputs expected to be in "
                f"the set {_set(signature.outputs)}."
            )
        if alias in seen:
            raise _invalid(f"duplicate output tensor alias: {alias}")
        seen.append(alias)
    return seen or sorted(signature.outputs)


def batch_size(inputs: Mapping[str, np.ndarray]) -> int:
    """Counts the rows of a request that is to share a batch with others.

    Raises:
      ServingError: INVALID_ARGUMENT, an input has no rows, or another number of them.
    """
    if not inputs:
        raise _invalid("Batching Run() must have at least one input tensor")
    if any(array.ndim == 0 for array in inputs.values()):
        raise _invalid("Batching Run() input tensors must have at least one dimension")
    sizes = {alias: len(array) for alias, array in inputs.items()}
    if len(set(sizes.values())) > 1:
        raise _invalid(
            "Batching Run() input tensors must have equal 0th-dimension size. Received "
            f"{', '.join(f'{alias}: {size}' for alias, size in sorted(sizes.items()))}."
        )
    return next(iter(sizes.values()))


def _signature(servable: Servable, key: str, code: Code, message: str) -> SignatureDef:
    signature = servable.signatures.get(key)
    if signature is None:
        known = [name for name in sorted(servable.signatures) if not name.startswith("__")]
        raise ServingError(code, f"{message} Signatures of the model: {', '.join(known)}.")
    return signature


def _check_aliases(signature: SignatureDef, given: Iterable[str]) -> None:
    sent, expected = set(given), set(signature.inputs)
    if sent == expected:
        return
    missing = expected - sent - set(signature.defaults)
    if len(sent) > len(expected) or (len(sent) < len(expected) and not signature.defaults):
        raise _invalid(
            f"input size does not match signature: {len(sent)}!={len(expected)} "
            f"len({_set(sent)}) != len({_set(expected)}). Sent extra: {_set(sent - expected)}. "
            f"Missing but required: {_set(expected - sent)}."
        )
    if missing:
        alias = min(missing)
        raise _invalid(
            f"Signature input alias: {alias}(feed name: {signature.inputs[alias].name}) not found "
            "in request and no default value provided. Inputs expected to be in the request "
            f"{_set(sent)}, or default input alias set: {','.join(sorted(signature.defaults))}"
        )
    if sent - expected:
        raise _invalid(
            "Inputs contains invalid name. Used request inputs: "
            f"{','.join(sorted(sent & expected))}, request input: {','.join(sorted(sent))}"
        )


def _fitting(signature: SignatureDef, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Adds default values, then checks types and shapes."""
    if len(inputs) < len(signature.inputs):
        missing = signature.defaults.keys() - inputs.keys()
        inputs.update({name: to_array(signature.defaults[name], name) for name in missing})
    for alias, array in inputs.items():
        info = signature.inputs[alias]
        if type_number(array) != info.dtype:
            raise _invalid(
                f'Expects input "{alias}" to be {_type_name(info.dtype)} but '
                f"{_type_name(type_number(array))} is provided. Send the type of the signature."
            )
        if not _fits(array.shape, info.tensor_shape):
            raise _invalid(
                f'Expects input "{alias}" to have the shape '
                f"{[dim.size for dim in info.tensor_shape.dim]} but {list(array.shape)} is "
                "provided. A -1 stands for any size, the first one for the rows."
            )
    return inputs


def _fits(shape: tuple[int, ...], expected: TensorShapeProto) -> bool:
    if expected.unknown_rank:
        return True
    sizes = [dim.size for dim in expected.dim]
    return len(sizes) == len(shape) and all(
        size in (-1, found) for size, found in zip(sizes, shape, strict=True)
    )


def _type_name(number: int) -> str:
    return tf.as_dtype(number).name if number else "a type that cannot be sent"


def _set(names: Iterable[str]) -> str:
    return "{" + ",".join(sorted(names)) + "}"


def _invalid(message: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, message)
