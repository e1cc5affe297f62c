"""The calls of PredictionService, on TensorFlow Serving's own messages, without a transport."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Optional, Protocol

import numpy as np
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef
from tensorflow_serving.apis.classification_pb2 import ClassificationRequest, ClassificationResponse
from tensorflow_serving.apis.get_model_metadata_pb2 import (
    GetModelMetadataRequest,
    GetModelMetadataResponse,
    SignatureDefMap,
)
from tensorflow_serving.apis.inference_pb2 import (
    InferenceTask,
    MultiInferenceRequest,
    MultiInferenceResponse,
)
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse
from tensorflow_serving.apis.regression_pb2 import RegressionRequest, RegressionResponse

from serving.server import examples
from serving.server.batching import Runner
from serving.server.requests import (
    checked,
    chosen_outputs,
    example_signature,
    parsed_inputs,
    predict_signature,
    rest_signature,
    signature_key,
)
from serving.server.servable import Servable
from serving.server.status import Code, ServingError
from serving.server.tensors import write_tensor

_SIGNATURES = "signature_def"


class Servables(Protocol):
    """What lends out loaded versions: the registry, or a stand-in for a single version."""

    def acquire(
        self, name: str, version: Optional[int] = None, label: Optional[str] = None
    ) -> AbstractContextManager[Servable]:
        """Lends a version, which stays loaded until it is given back."""


class Prediction(NamedTuple):
    """An answer in arrays.

    Attributes:
      spec: the name, version and signature that answered.
      signature: what that signature is.
      outputs: by alias.
    """

    spec: ModelSpec
    signature: SignatureDef
    outputs: dict[str, np.ndarray]


class Inference:
    """Answers requests; each on one version, which stays loaded meanwhile.

    All calls take the request and a deadline on the clock of `time.monotonic`, None for none; they
    return the response and raise ServingError with TF Serving's codes and messages.

    Args:
      registry: lends the versions.
      run: runs requests, alone or in batches.
      as_content: whether numbers of a Predict answer go as raw bytes, which is faster for large
        ones, instead of in typed fields.
      check_method_names: whether Classify and Regress ask a signature's method name, as TF Serving
        does with --enable_signature_method_name_check.

    Example:
      >>> inference = Inference(registry, DirectRunner())  # doctest: +SKIP
      >>> request = PredictRequest(model_spec=ModelSpec(name="prodcls"))  # doctest: +SKIP
      >>> request.inputs["title"].CopyFrom(to_proto(titles))  # doctest: +SKIP
      >>> inference.predict(request).outputs["categories"].string_val[0]  # doctest: +SKIP
      b'Home > Cookware'
    """

    def __init__(
        self,
        registry: Servables,
        run: Runner,
        *,
        as_content: bool = False,
        check_method_names: bool = False,
    ) -> None:
        self._registry = registry
        self._run = run
        self._as_content = as_content
        self._check_method_names = check_method_names

    def predict(self, request: PredictRequest, deadline: Optional[float] = None) -> PredictResponse:
        """Answers Predict: tensors in, tensors out."""
        spec = _model_spec(request)
        key = signature_key(spec)
        with self._acquire(spec) as servable:
            signature = predict_signature(servable, key)
            inputs = parsed_inputs(signature, request.inputs)
            wanted = chosen_outputs(signature, request.output_filter)
            outputs = self._run(servable, key, signature, inputs, wanted, deadline)
            response = PredictResponse(model_spec=_resolved(servable, key))
        for alias, array in outputs.items():
            write_tensor(array, response.outputs[alias], as_content=self._as_content)
        return response

    def answer(
        self,
        spec: ModelSpec,
        inputs: Callable[[SignatureDef], Mapping[str, np.ndarray]],
        output_filter: Sequence[str] = (),
        deadline: Optional[float] = None,
    ) -> Prediction:
        """Answers REST's predict: arrays in, arrays out.

        Args:
          spec: which model.
          inputs: makes the inputs for a signature: how JSON is read depends on it, and between two
            calls another version, with another signature, could take over.
          output_filter: the wanted outputs by alias; none for all.
          deadline: as for all calls.
        """
        key = signature_key(spec)
        with self._acquire(spec) as servable:
            signature = rest_signature(servable, key)
            arrays = checked(signature, inputs(signature))
            wanted = chosen_outputs(signature, output_filter)
            outputs = self._run(servable, key, signature, arrays, wanted, deadline)
            return Prediction(_resolved(servable, key), signature, outputs)

    def signature(self, spec: ModelSpec) -> tuple[str, SignatureDef]:
        """Returns the signature that a REST request names, with its name."""
        key = signature_key(spec)
        with self._acquire(spec) as servable:
            return key, rest_signature(servable, key)

    def classify(
        self, request: ClassificationRequest, deadline: Optional[float] = None
    ) -> ClassificationResponse:
        """Answers Classify: tf.Examples in, labels with scores out."""
        spec = _model_spec(request)
        with self._acquire(spec) as servable:
            key = signature_key(spec)
            signature = example_signature(servable, key)
            wanted = examples.classify_outputs(signature, check_method=self._check_method_names)
            rows = examples.serialized_examples(request.input)
            outputs = self._on_examples(servable, key, rows, wanted, deadline)
            return ClassificationResponse(
                model_spec=_resolved(servable, key),
                result=examples.classification_result(outputs, len(rows)),
            )

    def regress(
        self, request: RegressionRequest, deadline: Optional[float] = None
    ) -> RegressionResponse:
        """Answers Regress: tf.Examples in, values out."""
        spec = _model_spec(request)
        with self._acquire(spec) as servable:
            key = signature_key(spec)
            signature = example_signature(servable, key)
            wanted = examples.regress_outputs(signature, check_method=self._check_method_names)
            rows = examples.serialized_examples(request.input)
            outputs = self._on_examples(servable, key, rows, wanted, deadline)
            return RegressionResponse(
                model_spec=_resolved(servable, key),
                result=examples.regression_result(outputs, len(rows)),
            )

    def multi_inference(
        self, request: MultiInferenceRequest, deadline: Optional[float] = None
    ) -> MultiInferenceResponse:
        """Answers MultiInference: the same tf.Examples to several signatures of one version."""
        # Without a task there is no name, which is what TF Serving then complains of.
        first = request.tasks[0].model_spec if request.tasks else ModelSpec()
        response = MultiInferenceResponse()
        with self._acquire(first) as servable:
            tasks = [
                (key, task.method_name, self._task_outputs(servable, key, task))
                for key, task in _distinct(request.tasks).items()
            ]
            rows = examples.serialized_examples(request.input)
            for key, method, wanted in tasks:
                outputs = self._on_examples(servable, key, rows, wanted, deadline)
                result = response.results.add(model_spec=_resolved(servable, key))
                if method == examples.CLASSIFY:
                    answer = examples.classification_result(outputs, len(rows))
                    result.classification_result.CopyFrom(answer)
                else:
                    result.regression_result.CopyFrom(
                        examples.regression_result(outputs, len(rows))
                    )
        return response

    def get_model_metadata(
        self, request: GetModelMetadataRequest, deadline: Optional[float] = None
    ) -> GetModelMetadataResponse:
        """Answers GetModelMetadata: the signatures."""
        spec = _model_spec(request)
        if not request.metadata_field:
            raise _invalid("GetModelMetadataRequest must specify at least one metadata_field")
        for field in request.metadata_field:
            if field != _SIGNATURES:
                raise _invalid(f"Metadata field {field} is not supported. Ask for {_SIGNATURES}.")
        response = GetModelMetadataResponse()
        with self._acquire(spec) as servable:
            response.model_spec.name = servable.id.name
            response.model_spec.version.value = servable.id.version
            signatures = SignatureDefMap(signature_def=servable.signatures)
        response.metadata[_SIGNATURES].Pack(signatures)
        return response

    def _acquire(self, spec: ModelSpec) -> AbstractContextManager[Servable]:
        if not spec.name:
            raise _invalid("ModelSpec has no name specified.")
        choice = spec.WhichOneof("version_choice")
        return self._registry.acquire(
            spec.name,
            version=spec.version.value if choice == "version" else None,
            label=spec.version_label if choice == "version_label" else None,
        )

    def _on_examples(
        self,
        servable: Servable,
        key: str,
        rows: np.ndarray,
        wanted: Sequence[str],
        deadline: Optional[float],
    ) -> dict[str, np.ndarray]:
        signature = servable.signatures[key]
        inputs = checked(signature, {examples.INPUTS: rows})
        return self._run(servable, key, signature, inputs, wanted, deadline)

    def _task_outputs(self, servable: Servable, key: str, task: InferenceTask) -> list[str]:
        signature = servable.signatures.get(key)
        if signature is None:
            raise _invalid(f"Requested signature not found in model graph: {key}")
        if task.method_name == examples.CLASSIFY:
            return examples.classify_outputs(signature, check_method=self._check_method_names)
        if task.method_name == examples.REGRESS:
            return examples.regress_outputs(signature, check_method=self._check_method_names)
        raise ServingError(
            Code.UNIMPLEMENTED,
            f"Unsupported signature method_name: {task.method_name}. Ask for {examples.CLASSIFY} "
            f"or {examples.REGRESS}.",
        )


def _model_spec(
    request: PredictRequest | ClassificationRequest | RegressionRequest | GetModelMetadataRequest,
) -> ModelSpec:
    if not request.HasField("model_spec"):
        raise _invalid("Missing ModelSpec")
    return request.model_spec


def _resolved(servable: Servable, key: str) -> ModelSpec:
    spec = ModelSpec(name=servable.id.name, signature_name=key)
    spec.version.value = servable.id.version
    return spec


def _distinct(tasks: Sequence[InferenceTask]) -> dict[str, InferenceTask]:
    """The tasks by signature: one model's, and no signature twice."""
    by_signature: dict[str, InferenceTask] = {}
    for task in tasks:
        if not task.model_spec.name:
            raise _invalid("Found ModelSpec with an empty model name.")
        if task.model_spec.name != tasks[0].model_spec.name:
            raise _invalid(
                "All ModelSpecs in a MultiInferenceRequest must access the same model name."
            )
        key = signature_key(task.model_spec)
        if key in by_signature:
            raise _invalid(f"Duplicate evaluation of signature: {key}")
        by_signature[key] = task
    return by_signature


def _invalid(message: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, message)
