#!/usr/bin/env bash
# Asks a server with grpcurl: serving/examples/grpcurl.sh [HOST:PORT] [TITLE]
# `prodcls serve` describes its services itself. TensorFlow Serving does not; for it, write
#   python serving/examples/protoset.py serving.protoset
# and set GRPCURL_OPTIONS="-protoset serving.protoset".
set -euo pipefail

server=${1:-localhost:8500}
# Bytes are base64 in JSON.
title=$(printf %s "${2:-wireless mouse 2.4 GHz}" | base64 --wrap=0)
read -ra options <<< "-plaintext ${GRPCURL_OPTIONS:-}"

grpcurl "${options[@]}" -d '{"model_spec": {"name": "prodcls"}}' "$server" \
  tensorflow.serving.ModelService/GetModelStatus

# One string tensor [rows] for each of the model's text fields: here title and description.
shape='"dtype": "DT_STRING", "tensor_shape": {"dim": [{"size": 1}]}'
grpcurl "${options[@]}" -d @ "$server" tensorflow.serving.PredictionService/Predict <<JSON
{
  "model_spec": {"name": "prodcls"},
  "inputs": {
    "title": {$shape, "string_val": ["$title"]},
    "description": {$shape, "string_val": [""]}
  }
}
JSON
