from __future__ import annotations

import pytest
from tensorflow_serving.apis.input_pb2 import Input

from serving.server.rest_examples import fill_input
from serving.server.rest_json import parse_body
from serving.server.status import Code, ServingError


def read(body):
    message = Input()
    fill_input(parse_body(body.encode("utf-8")), message)
    return message


def features(example):
    return {
        name: list(getattr(feature, feature.WhichOneof("kind")).value)
        for name, feature in example.features.feature.items()
    }


def test_values_become_features_of_their_kind():
    message = read(
        '{"examples": [{"title": "猫", "image": {"b64": "/w=="}, "sizes": [1, -2], "price": 1.5,'
        ' "sold": true, "tags": ["a", {"b64": "Yg=="}]}, {}]}'
    )
    first, second = message.example_list.examples
    assert features(first) == {
        "title": ["猫".encode()],
        "image": [b"\xff"],
        "sizes": [1, -2],
        "price": [1.5],
        "sold": [1],
        "tags": [b"a", b"b"],
    }
    assert features(second) == {}


def test_context_is_kept_apart():
    message = read('{"context": {"shop": "x"}, "examples": [{"title": "a"}]}')
    assert features(message.example_list_with_context.context) == {"shop": [b"x"]}
    assert features(message.example_list_with_context.examples[0]) == {"title": [b"a"]}


def test_empty_list_is_a_feature_without_values():
    (example,) = read('{"examples": [{"tags": []}]}').example_list.examples
    assert example.features.feature["tags"].WhichOneof("kind") is None


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("{}", "When method is classify, key 'examples' is expected and was not found"),
        ('{"examples": {}}', "Expecting 'examples' value to be an list/array"),
        ('{"examples": []}', "'examples' value is an empty array"),
        ('{"examples": [1]}', "Example must be JSON object but got JSON Number"),
        ('{"context": [], "examples": [{}]}', "Example must be JSON object but got JSON Array"),
        ('{"examples": [{"a": null}]}', "Feature: a has element with unexpected JSON type: Null"),
        ('{"examples": [{"a": [[1]]}]}', "Feature: a has element with unexpected JSON type: Array"),
        ('{"examples": [{"a": {"x": 1}}]}', "has element with unexpected JSON type: Object"),
        ('{"examples": [{"a": [1, "x"]}]}', "element type in feature: a expecting type: int64"),
        ('{"examples": [{"a": ["x", 1]}]}', "element type in feature: a expecting type: bytes"),
        ('{"examples": [{"a": [1.5, 1]}]}', "element type in feature: a expecting type: float"),
        ('{"examples": [{"a": 9223372036854775808}]}', "a has uint64 element. Only int64"),
        ('{"examples": [{"a": 1e39}]}', "Cannot convert JSON value: 1e+39 to float without loss"),
        ('{"examples": [{"a": {"b64": "%"}}]}', "Unable to base64 decode"),
    ],
)
def test_malformed_examples_are_refused_with_the_message_of_tf_serving(body, message):
    with pytest.raises(ServingError) as caught:
        read(body)
    assert caught.value.code == Code.INVALID_ARGUMENT
    assert message in caught.value.message
