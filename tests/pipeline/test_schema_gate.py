"""The gate before training: its executor on small splits."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Optional

import pytest
import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tfx.types import standard_artifacts

from pipeline import accepted
from pipeline.example_gen import INTAKE_REPORT, PLACES, write_splits
from pipeline.schema_gate import ANOMALIES, SchemaGateExecutor, profile_of
from prodcls_tf.data.anomalies import Anomaly, AnomalyReport
from prodcls_tf.data.reading import Row
from prodcls_tf.data.report import Finding, IntakeReport
from prodcls_tf.errors import DataError
from prodcls_tf.settings import ChecksSettings

SPLITS = ("train", "val", "test")


@dataclasses.dataclass(frozen=True)
class Gate:
    """An output folder, and what its gate says of rows."""

    out: Path

    @property
    def schema(self) -> Path:
        return self.out / "schema"

    def __call__(
        self,
        rows: list[tuple[str, str]],
        test: Optional[list[tuple[str, str]]] = None,
        columns: tuple[str, ...] = ("title",),
        no_text: int = 0,
        no_label: int = 0,
        **checks: object,
    ) -> AnomalyReport:
        """Sends (title, category) rows through the gate, the same ones as train, val and test."""
        number = len(list(self.out.iterdir()))
        folder = self.out / f"artifacts-{number}"
        examples = standard_artifacts.Examples()
        statistics = standard_artifacts.ExampleStatistics()
        schema, anomalies = standard_artifacts.Schema(), standard_artifacts.ExampleAnomalies()
        inputs = {"examples": examples, "statistics": statistics, "schema": schema}
        for name, artifact in {**inputs, "anomalies": anomalies}.items():
            artifact.uri = str(folder / name)
        examples.split_names = statistics.split_names = json.dumps(SPLITS)
        by_split = {"train": rows, "val": rows, "test": rows if test is None else test}
        write_splits(_rows(by_split, len(columns)), columns, Path(examples.uri))
        intake = IntakeReport(
            rows_read=sum(map(len, by_split.values())) + no_text + no_label,
            empty_text=Finding(rows=no_text, examples=["products.csv:7"]),
            empty_label=Finding(rows=no_label, examples=["products.csv:8", "products.csv:9"]),
        )
        places = {category: f"products.csv:{n}" for n, (_, category) in enumerate(rows[::-1])}
        Path(examples.uri, PLACES).write_text(json.dumps(places), encoding="utf-8")
        Path(examples.uri, INTAKE_REPORT).write_text(intake.model_dump_json(), encoding="utf-8")
        for split, some in by_split.items():
            described = _statistics(some, columns)
            file = Path(statistics.uri, f"Split-{split}", "FeatureStats.pb")
            file.parent.mkdir(parents=True)
            file.write_bytes(described.SerializeToString())
            if split == "train":
                inferred = text_format.MessageToString(tfdv.infer_schema(described))
                Path(schema.uri).mkdir()
                Path(schema.uri, "schema.pbtxt").write_text(inferred, encoding="utf-8")
        properties = {
            "folder": str(self.schema),
            "sources": '{"all": ["products.csv"]}',
            "origin": str(number),
            "columns": json.dumps({**{name: name for name in columns}, "category": "kind"}),
            "checks": ChecksSettings.model_validate(checks).model_dump_json(),
        }
        SchemaGateExecutor().Do(
            {name: [artifact] for name, artifact in inputs.items()},
            {"anomalies": [anomalies]},
            properties,
        )
        return AnomalyReport.model_validate_json(Path(anomalies.uri, ANOMALIES).read_bytes())

    def stopped(self, *rows: Any, **how: Any) -> tuple[str, dict[str, Anomaly]]:
        """Sends rows that must not get through; returns the message and what is unusual."""
        with pytest.raises(DataError) as stop:
            self(*rows, **how)
        candidate = accepted.candidate(self.schema)
        assert candidate is not None
        return str(stop.value), {one.kind: one for one in candidate.anomalies().stopping}

    def accept(self) -> None:
        accepted.accept(self.schema, datetime.now(timezone.utc), "a test")


def _rows(by_split: dict[str, list[tuple[str, str]]], width: int) -> Iterator[tuple[str, Row]]:
    for split, rows in by_split.items():
        for number, (title, category) in enumerate(rows):
            yield split, Row((title,) * width, category, "products.csv", number)


def _statistics(rows: list[tuple[str, str]], columns: tuple[str, ...]) -> Any:
    import pandas as pd

    values = {column: [title for title, _ in rows] for column in columns}
    return tfdv.generate_statistics_from_dataframe(
        pd.DataFrame({**values, "category": [category for _, category in rows]})
    )


def shop_rows(count: int = 300, title: str = "usb cable {}") -> list[tuple[str, str]]:
    return [(title.format(n), ("Audio", "Phones > Cases", "Garden")[n % 3]) for n in range(count)]


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    """A gate that knows nothing yet."""
    return Gate(tmp_path)


@pytest.fixture
def guarded(gate: Gate) -> Gate:
    """A gate with a first run behind it."""
    gate(shop_rows())
    return gate


def test_profile_is_that_of_the_examples(tmp_path: Path) -> None:
    rows = [("usb", "A"), ("手机壳", "B"), ("", "A")]
    write_splits(_rows({"train": rows}, 1), ["title"], tmp_path)
    profile = profile_of(tmp_path / "Split-train", {"title": "名称", "category": "kind"})
    assert (profile.rows, profile.categories) == (3, {"A": 2, "B": 1})
    assert profile.fields["名称"].languages == {"unclear (Latin)": 1, "zh": 1}
    assert profile_of(tmp_path / "Split-val", {"title": "title", "category": "kind"}).rows == 0


def test_first_rows_are_accepted_with_their_categories(gate: Gate) -> None:
    assert gate(shop_rows()) == AnomalyReport()
    state = accepted.newest(gate.schema)
    assert state is not None
    assert (state.number, state.baseline().by) == (1, "the first run")
    schema = state.schema.read_text()
    assert all(f'value: "{path}"' in schema for path in ("Audio", "Garden", "Phones > Cases"))
    assert "usb" not in schema
    assert accepted.candidate(gate.schema) is None


def test_like_rows_pass_and_change_nothing(guarded: Gate) -> None:
    before = sorted(guarded.schema.rglob("*"))
    assert guarded(shop_rows(270)) == AnomalyReport(against=1)
    assert sorted(guarded.schema.rglob("*")) == before


def test_new_category_is_stopped_until_it_is_accepted(guarded: Gate) -> None:
    rows = [*shop_rows(), ("oak desk", "Furniture")]
    message, unusual = guarded.stopped(rows)
    assert list(unusual) == ["new_category"]
    where = "'Furniture' (3 rows, the first at products.csv:0)"
    assert f"'kind': 1 category not accepted before: {where}" in message
    assert unusual["new_category"].places == ["products.csv:0"]
    assert f"prodcls schema accept --out {guarded.out}" in message
    guarded.accept()
    assert guarded(rows) == AnomalyReport(against=2)


def test_category_that_a_person_writes_into_the_schema_is_accepted(guarded: Gate) -> None:
    schema = guarded.schema / "1" / "schema.pbtxt"
    schema.write_text(schema.read_text().replace('"Audio"', '"Audio" value: "Furniture"'))
    assert guarded([*shop_rows(), ("oak desk", "Furniture")]).stopping == []


def test_category_that_a_person_takes_out_of_the_schema_is_stopped(guarded: Gate) -> None:
    schema = guarded.schema / "1" / "schema.pbtxt"
    schema.write_text(schema.read_text().replace('value: "Garden"', ""))
    _, unusual = guarded.stopped(shop_rows())
    assert unusual["new_category"].examples == ["Garden"]


def test_missing_column_is_stopped(gate: Gate) -> None:
    gate(shop_rows(), columns=("title", "description"))
    message, unusual = gate.stopped(shop_rows())
    assert list(unusual) == ["missing_column"]
    assert "'description': the column is missing" in message


def test_new_column_is_a_note(guarded: Gate) -> None:
    (note,) = guarded(shop_rows(), columns=("title", "brand")).anomalies
    assert (note.kind, note.feature, note.stops) == ("new_column", "brand", False)


def test_type_that_a_person_demands_is_checked(guarded: Gate) -> None:
    schema = guarded.schema / "1" / "schema.pbtxt"
    text = schema.read_text()
    title = text.index('"title"')
    schema.write_text(text[:title] + text[title:].replace("BYTES", "INT"))
    message, unusual = guarded.stopped(shop_rows())
    assert list(unusual) == ["schema"]
    assert "'title': Expected data of type: INT but got STRING" in message


def test_other_shares_of_categories_are_stopped(guarded: Gate) -> None:
    rows = shop_rows()
    _, unusual = guarded.stopped([*rows, *[(t, "Audio") for t, _ in rows], *[("x", "Audio")] * 400])
    drift = unusual["category_drift"]
    assert drift.received["Audio"] == pytest.approx(0.8)
    assert drift.distance == pytest.approx(0.8 - 1 / 3, abs=1e-3)


@pytest.mark.parametrize(("left_out", "column"), [("no_text", "title"), ("no_label", "kind")])
def test_rows_that_intake_left_out_for_being_empty_stop(
    guarded: Gate, left_out: str, column: str
) -> None:
    message, unusual = guarded.stopped(shop_rows(), **{left_out: 450})
    assert f"'{column}': 33.3 % of the rows read have nothing there, 0.0 % are expected" in message
    assert (unusual["empty_drift"].feature, unusual["empty_drift"].split) == (column, "all")
    assert f", the first at {unusual['empty_drift'].places[0]}" in message
    guarded.accept()
    assert not guarded(shop_rows(), **{left_out: 450}).stopping


def test_all_that_is_unusual_is_told_at_once_the_worst_first(guarded: Gate) -> None:
    rows = [(f"手机充电线第{n}条", path) for n, (_, path) in enumerate(shop_rows(200))]
    message, unusual = guarded.stopped([*rows, ("书", "Books")], max_length_drift=0.1)
    assert list(unusual) == ["new_category", "language_drift", "length_drift"]
    assert message.index("Books") < message.index("zh") < message.index("characters")


def test_test_rows_unlike_train_are_noted_in_a_first_run(gate: Gate) -> None:
    test = [(f"手机壳 {n}", "Audio") for n in range(200)]
    report = gate(shop_rows(), test)
    assert not report.stopping
    assert {"category_skew", "language_skew"} <= {one.kind for one in report.notes}


def test_test_rows_unlike_train_are_stopped_later(guarded: Gate) -> None:
    _, unusual = guarded.stopped(shop_rows(), [(f"手机壳 {n}", "Audio") for n in range(200)])
    assert {"category_skew", "language_skew"} <= set(unusual)


def test_skew_of_accepted_rows_is_a_note(guarded: Gate) -> None:
    test = [(f"手机壳 {n}", "Audio") for n in range(200)]
    guarded.stopped(shop_rows(), test)
    guarded.accept()
    report = guarded(shop_rows(), test)
    assert not report.stopping
    assert "category_skew" in {one.kind for one in report.notes}


@pytest.mark.parametrize("name", ["statistics.pb", "baseline.json", "schema.pbtxt"])
def test_damaged_state_is_told(guarded: Gate, name: str) -> None:
    (guarded.schema / "1" / name).write_bytes(b"\xff\xff")
    with pytest.raises(DataError, match=name):
        guarded(shop_rows())
