"""The embedded server: answers TensorFlow Serving's protocols where that server is not at hand.

The core knows no transport. The way of a request, in reading order:
  status.py        codes, and the one error
  tensors.py       TensorProto to numpy and back
  graph_file.py, importing.py, background.py, loading.py, servable.py   one version of a model
  requests.py, examples.py                a request against the signature that it names
  merging.py, batch.py, batching.py       several requests in one run
  inference.py     the five calls of PredictionService, on messages

Which versions there are:
  text_proto.py, model_config.py, config.py, flags.py   flags and the files they name
  config_watcher.py                       a file of models that changes
  repository.py, watching.py              what lies on disk
  lifecycle.py, labels.py, shelf.py, workers.py, registry.py     loading, swapping, letting go
  warmup.py        the first requests of a new version
  management.py    the two calls of ModelService, on messages

How the world gets in:
  metrics.py, monitoring.py               figures for Prometheus
  gate.py, grpc_face.py, health.py, tls.py   gRPC
  rest_*.py        REST
  addresses.py, logs.py, stopping.py      ports, what is logged, signals
  server.py        everything together
"""
