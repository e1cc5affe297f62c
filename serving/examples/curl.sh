#!/usr/bin/env bash
# Asks a server's REST interface: serving/examples/curl.sh [HOST:PORT] [MODEL]
set -euo pipefail

models=http://${1:-localhost:8501}/v1/models/${2:-prodcls}
options=(--silent --show-error --fail-with-body)

# The versions and their states.
curl "${options[@]}" "$models"
# The names of the model's text fields.
curl "${options[@]}" "$models/metadata"
# Categories. Every row has all text fields of the model: here title and description.
curl "${options[@]}" "$models:predict" --data '{
  "instances": [
    {"title": "wireless mouse 2.4 GHz", "description": ""},
    {"title": "usb c cable 2m", "description": "braided, 60 W"}
  ]
}'
