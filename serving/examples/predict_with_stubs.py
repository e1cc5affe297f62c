"""Asks a server with the plain stubs of tensorflow-serving-api, without this project's client.

python serving/examples/predict_with_stubs.py localhost:8500 title='wireless mouse' description=''
"""

from __future__ import annotations

import sys

import grpc
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc


def main(server: str, *fields: str) -> None:
    """Prints the categories of one product.

    Args:
      server: its address, such as localhost:8500.
      *fields: NAME=TEXT for each of the model's text fields.
    """
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "prodcls"
    for field in fields:
        name, _, text = field.partition("=")
        # One string tensor [rows] a field: here a single row.
        request.inputs[name].CopyFrom(tf.make_tensor_proto([text], dtype=tf.string))
    with grpc.insecure_channel(server) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        response = stub.Predict(request, timeout=10)
    categories = tf.make_ndarray(response.outputs["categories"])
    scores = tf.make_ndarray(response.outputs["scores"])
    for category, score in zip(categories[0], scores[0], strict=True):
        print(f"{score:.3f}  {category.decode('utf-8')}")  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
