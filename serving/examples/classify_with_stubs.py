"""Asks a server through Classify, whose rows are tf.Examples: a field that is missing is empty.

python serving/examples/classify_with_stubs.py localhost:8500 'wireless mouse 2.4 GHz'
"""

from __future__ import annotations

import sys

import grpc
from tensorflow_serving.apis import classification_pb2, prediction_service_pb2_grpc


def main(server: str, *titles: str) -> None:
    """Prints the best category of each title.

    Args:
      server: its address, such as localhost:8500.
      *titles: what to ask about.
    """
    request = classification_pb2.ClassificationRequest()
    request.model_spec.name = "prodcls"
    # Classify needs a signature of that method; `serving_default` is one for Predict.
    request.model_spec.signature_name = "classify"
    for title in titles:
        example = request.input.example_list.examples.add()
        example.features.feature["title"].bytes_list.value.append(title.encode("utf-8"))
    with grpc.insecure_channel(server) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        response = stub.Classify(request, timeout=10)
    for title, answer in zip(titles, response.result.classifications, strict=True):
        best = answer.classes[0]
        print(f"{best.score:.3f}  {best.label}  {title}")  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
