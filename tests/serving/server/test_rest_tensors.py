from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorflow.core.framework import types_pb2 as types
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef

from serving.server.rest_json import parse_body
from serving.server.rest_tensors import is_by_rows, predict_inputs
from serving.server.status import Code, ServingError

TEXT = {"title": types.DT_STRING}
TWO = {"title": types.DT_STRING, "n": types.DT_INT64}


def signature(inputs):
    made = SignatureDef()
    for alias, dtype in inputs.items():
        made.inputs[alias].dtype = dtype
    return made


def read(body, inputs):
    body = body if isinstance(body, bytes) else body.encode("utf-8")
    return predict_inputs(parse_body(body), signature(inputs))


def refused(body, inputs):
    with pytest.raises(ServingError) as caught:
        read(body, inputs)
    assert caught.value.code == Code.INVALID_ARGUMENT
    return caught.value.message


def test_plain_instances_are_the_only_input():
    (title,) = read('{"instances": ["a", "猫"]}', TEXT).values()
    assert title.tolist() == [b"a", "猫".encode()]
    assert title.dtype == object


def test_instances_with_names_become_one_array_an_input():
    arrays = read('{"instances": [{"title": "a", "n": 1}, {"n": 2, "title": "b"}]}', TWO)
    assert arrays["title"].tolist() == [b"a", b"b"]
    assert arrays["n"].tolist() == [1, 2]
    assert arrays["n"].dtype == np.int64


def test_nested_instances_keep_their_shape():
    x = read('{"instances": [[[1, 2]], [[3, 4.5]]]}', {"x": types.DT_FLOAT})["x"]
    assert x.shape == (2, 1, 2)
    assert x.dtype == np.float32
    assert x.tolist() == [[[1, 2]], [[3, 4.5]]]


def test_columns_with_names_may_differ_in_length():
    arrays = read('{"inputs": {"title": ["a", "b"], "n": 7, "other": []}}', TWO)
    assert arrays["title"].tolist() == [b"a", b"b"]
    assert arrays["n"].shape == ()


def test_plain_column_is_the_only_input():
    assert read('{"inputs": [["a"], ["b"]]}', TEXT)["title"].shape == (2, 1)
    assert read('{"inputs": []}', TEXT)["title"].shape == (0,)


def test_scalar_column_has_no_dimension():
    assert read('{"inputs": {"b64": "YQ=="}}', TEXT)["title"].item() == b"a"


@pytest.mark.parametrize("text", ["/wA=", "/wA", " /w\\nA= "])
def test_base64_is_bytes_whatever_its_padding(text):
    assert read(f'{{"instances": [{{"b64": "{text}"}}]}}', TEXT)["title"].item() == b"\xff\x00"


def test_bytes_that_are_no_utf8_are_kept():
    assert read(b'{"instances": ["a\xff\xe7\x8c"]}', TEXT)["title"].item() == b"a\xff\xe7\x8c"


def test_nul_emoji_and_escapes_are_text():
    title = read(r'{"instances": ["a\u0000\ud83d\ude00"]}', TEXT)["title"].item()
    assert title == "a\0😀".encode()


def test_tokens_that_json_lacks_are_numbers():
    x = read('{"instances": [NaN, Infinity, -Infinity]}', {"x": types.DT_DOUBLE})["x"]
    assert np.isnan(x[0])
    assert x[1:].tolist() == [np.inf, -np.inf]


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        (types.DT_INT8, [-128, 127]),
        (types.DT_UINT8, [0, 255]),
        (types.DT_INT16, [-32768, 32767]),
        (types.DT_INT32, [-(2**31), 2**31 - 1]),
        (types.DT_INT64, [-(2**63), 2**63 - 1]),
        (types.DT_UINT32, [0, 2**32 - 1]),
        (types.DT_UINT64, [0, 2**64 - 1]),
        (types.DT_FLOAT, [-(2**24) + 1, 2**24 - 1]),
        (types.DT_DOUBLE, [-(2**53) + 1, 2**53 - 1]),
    ],
)
def test_whole_numbers_up_to_the_limits_of_a_type_are_taken_and_others_refused(dtype, values):
    assert read(f'{{"instances": {values}}}', {"x": dtype})["x"].tolist() == values
    for beyond in (values[0] - 1, values[1] + 1):
        message = refused(f'{{"instances": [{beyond}]}}', {"x": dtype})
        assert "is not of expected type" in message or "without loss of precision" in message


def test_bools_are_bools():
    x = read('{"instances": [true, false]}', {"x": types.DT_BOOL})["x"]
    assert x.dtype == np.bool_
    assert x.tolist() == [True, False]


@pytest.mark.parametrize(
    ("value", "dtype", "message"),
    [
        ("1", types.DT_STRING, "JSON Value: 1 Type: Number is not of expected type: string"),
        ("null", types.DT_STRING, "JSON Value: null Type: Null is not of expected type: string"),
        ('"1"', types.DT_FLOAT, 'JSON Value: "1" Type: String is not of expected type: float'),
        ("true", types.DT_INT64, "JSON Value: true Type: True is not of expected type: int64"),
        ("1.0", types.DT_INT64, "JSON Value: 1.0 Type: Number is not of expected type: int64"),
        ("1e39", types.DT_FLOAT, "Cannot convert JSON value: 1e+39 to float without loss"),
        ('{"b64": "%"}', types.DT_STRING, "Unable to base64 decode"),
        ('"\\ud83d"', types.DT_STRING, "JSON Parse error: The surrogate pair in string is invalid"),
    ],
)
def test_value_of_the_wrong_type_is_named(value, dtype, message):
    assert message in refused(f'{{"inputs": {value}}}', {"x": dtype})


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", "JSON Parse error: The document is empty"),
        ("{", "JSON Parse error: "),
        ('{"instances": [1,]}', "JSON Parse error: "),
        ('{"instances": ["\n"]}', "JSON Parse error: "),
        ("[1]", "JSON Value: [1] Is not object"),
        ('{"instances": [' + "9" * 5_000 + "]}", "JSON Parse error: Number too big"),
        ('{"instances": ' + "[" * 100_000, "JSON Parse error: The document is nested too deeply"),
        ("{}", "Missing 'inputs' or 'instances' key"),
        ('{"instances": [], "inputs": []}', "expecting only one of 'inputs' or 'instances'"),
        ('{"instances": {}}', "Excepting 'instances' to be an list/array"),
        ('{"instances": []}', "No values in 'instances' array"),
        ('{"instances": ["a"]}', "instances is a plain list, but expecting list of objects"),
        ('{"inputs": ["a"]}', "inputs is a plain value/list, but expecting an object"),
        ('{"inputs": {"n": 1}}', "Missing named input: title in 'inputs' object."),
        (
            '{"instances": [{"title": "a", "n": 1}, "b"]}',
            "Expecting object but got list at item 1 of input list",
        ),
        (
            '{"instances": [{"title": "a", "x": 1}]}',
            "key: x of 'instances' list. Error: INVALID_ARGUMENT: JSON object: does not have named",
        ),
        (
            '{"instances": [{"title": "a"}]}',
            'element: 0 of \'instances\' list. JSON object: {"title": "a"} keys must be equal to',
        ),
    ],
)
def test_malformed_request_is_refused_with_the_message_of_tf_serving(body, message):
    assert message in refused(body, TWO)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('{"instances": [1, {"x": 1}]}', "Expecting value/list but got object at item 1"),
        ('{"instances": [[1, 2], [1]]}', "Expecting tensor size: 2 but got: 1"),
        ('{"instances": [[[1, 2]], [[1], [2]]]}', "Expecting shape [1,2] but got: [2,1]"),
        ('{"instances": [[[1], [2, 3]]]}', "list at unexpected size: 2 at level: 1 expected"),
        ('{"instances": [[1, [2]]]}', "Encountered list at unexpected level: 1 expected < 1"),
        ('{"instances": [[[1], 2]]}', "found at incorrect level: 2 in the JSON DOM. Expected at"),
        ('{"instances": ' + "[" * 300 + "]" * 300 + "}", "A tensor has at most 254 dimensions"),
    ],
)
def test_ragged_values_are_refused_with_the_message_of_tf_serving(body, message):
    assert message in refused(body, {"x": types.DT_INT32})


def test_long_values_are_cut_in_messages():
    message = refused('{"instances": ["' + "x" * 100_000 + '"]}', {"x": types.DT_INT32})
    assert len(message) < 500
    assert "x..." in message


def test_types_without_json_are_unimplemented():
    with pytest.raises(ServingError, match="Conversion of JSON Value: 1.5 to type: half") as caught:
        read('{"instances": [1.5]}', {"x": types.DT_HALF})
    assert caught.value.code == Code.UNIMPLEMENTED


def test_signature_without_inputs_cannot_be_asked():
    assert "Failed to get input map for signature: DEFAULT" in refused('{"instances": [1]}', {})


def test_format_of_a_request_is_that_of_its_answer():
    assert is_by_rows({"instances": [1]})
    assert not is_by_rows({"inputs": [1]})


@given(st.binary(max_size=80))
def test_random_bytes_are_refused_or_read(body):
    for text in (body, b'{"instances": [' + body + b"]}", b'{"inputs": "' + body + b'"}'):
        assert read_or_refused(text)


def read_or_refused(body) -> bool:
    try:
        arrays = read(body, TEXT)
    except ServingError as error:
        return error.code == Code.INVALID_ARGUMENT
    return all(isinstance(value, bytes) for value in arrays["title"].ravel())
