"""`prodcls schema` on states that were written directly; tests/pipeline makes them by runs."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest

from pipeline import accepted
from pipeline.accepted import Baseline
from pipeline.out_folder import OutFolder
from prodcls_tf.data.anomalies import Anomaly, AnomalyReport
from prodcls_tf.data.profile import Profile

SCHEMA = """
feature { name: "text" type: BYTES presence { min_fraction: 1.0 } }
feature { name: "category" type: BYTES string_domain { value: "Audio" value: "Phones" } }
"""
NEW = Anomaly(
    kind="new_category",
    feature="kind",
    split="all",
    message="'kind': 1 category not accepted before: 'Garden' (12 rows)",
    stops=True,
    examples=["Garden"],
)


def propose(out, *anomalies):
    train = Profile()
    train.add({"标题": ["usb cable", "手机壳", "", "case"]}, ["Audio", "Audio", "Phones", "Phones"])
    baseline = Baseline(
        origin="o1",
        files={"all": [str(out.parent / "products.csv")]},
        columns={"text": "标题", "category": "kind"},
        splits={"train": train, "val": Profile(), "test": Profile()},
    )
    report = AnomalyReport.of(1, anomalies)
    accepted.propose(out / "schema", SCHEMA, b"", baseline, report)


@pytest.fixture
def out(tmp_path):
    """An output folder in which a first run was accepted."""
    folder = tmp_path / "runs" / "mine"
    propose(folder)
    accepted.accept(folder / "schema", datetime(2026, 11, 28, tzinfo=timezone.utc), "the first run")
    return folder


@pytest.mark.parametrize("command", ["show", "accept"])
@pytest.mark.parametrize("made", [True, False])
def test_folder_without_a_schema_is_refused(call, tmp_path, command, made):
    if made:
        (tmp_path / "out").mkdir()
    done = call("schema", command, "--out", tmp_path / "out")
    assert done.code == 2
    assert "prodcls run --out" in done.err
    assert (tmp_path / "out").exists() == made


def test_accepted_schema_is_shown(call, out):
    done = call("schema", "show", "--out", out)
    assert (done.code, done.err) == (0, "")
    for shown in ("by the first run", "4 train", "products.csv", "标题", "25.0 %", "2 categories"):
        assert shown in done.out
    assert "checks.max_skew" in done.out
    assert "Audio" not in done.out
    assert "stopped" not in done.out


def test_categories_are_listed_on_request(call, out):
    done = call("schema", "show", "--out", out, "--categories")
    assert ["Audio", "2"] in [line.split() for line in done.out.splitlines()]


def test_edited_schema_is_shown_as_it_is(call, out):
    (out / "schema" / "1" / "schema.pbtxt").write_text(SCHEMA.replace("Phones", "Garden"))
    done = call("schema", "show", "--out", out, "--categories")
    assert "edited since" in done.out
    assert ["Garden", "-"] in [line.split() for line in done.out.splitlines()]
    assert "Phones" not in done.out


def test_broken_schema_is_told_with_its_line(call, out):
    (out / "schema" / "1" / "schema.pbtxt").write_text("feature {\n  name 3\n}")
    done = call("schema", "show", "--out", out)
    assert done.code == 2
    assert "schema.pbtxt: 2:8" in done.err


def test_thresholds_are_those_of_the_last_run(call, out):
    (out / "settings.yaml").write_text("checks: {max_skew: 0.07}")
    shown = call("schema", "show", "--out", out)
    assert "0.07" in shown.out


def test_what_stopped_the_last_run_is_shown_with_the_way_on(call, out):
    propose(out, NEW)
    done = call("schema", "show", "--out", out)
    assert "✗ 'kind': 1 category not accepted before" in done.out
    assert f"schema accept --out {out}" in done.out


def test_notes_of_the_last_run_are_shown(call, out):
    note = NEW.model_copy(update={"stops": False})
    (out / "anomalies.json").write_text(AnomalyReport.of(1, [note]).model_dump_json())
    done = call("schema", "show", "--out", out)
    assert "note" in done.err and "Garden" in done.err


def test_what_a_stopped_run_has_seen_is_accepted(call, out):
    propose(out, NEW)
    done = call("schema", "accept", "--out", out)
    assert (done.code, done.err) == (0, "")
    assert "Garden" in done.out
    state = accepted.newest(out / "schema")
    assert (state.number, state.baseline().by) == (2, "prodcls schema accept")
    again = call("schema", "accept", "--out", out)
    assert again.code == 2
    assert "was not stopped" in again.err


def test_nothing_is_accepted_while_a_run_is_at_work(call, out):
    propose(out, NEW)
    with OutFolder(out).held():
        done = call("schema", "accept", "--out", out)
    assert done.code == 2
    assert "another run" in done.err
    assert accepted.candidate(out / "schema") is not None


def test_json_has_all_of_it(call, out):
    propose(out, NEW)
    values = json.loads(call("schema", "show", "--out", out, "--json").out)
    assert values["accepted"]["categories"] == {"Audio": 2, "Phones": 2}
    assert values["accepted"]["splits"]["train"]["rows"] == 4
    assert values["accepted"]["accepted"].startswith("2026-11-28")
    assert values["open"][0]["examples"] == ["Garden"]
    assert values["checks"]["new_categories"] == "stop"
    assert values["anomalies"] == []


@pytest.fixture
def shop(out):
    """The same folder, its first run having had many rows."""
    train = Profile()
    train.add({"标题": ["usb cable"] * 300}, ["Audio"] * 200 + ["Phones"] * 100)
    baseline = accepted.newest(out / "schema").baseline()
    splits = {**baseline.splits, "train": train}
    file = out / "schema" / "1" / "baseline.json"
    file.write_text(baseline.model_copy(update={"splits": splits}).model_dump_json())
    return out


def served(out, title, count=300, **more):
    """Writes served products to a file."""
    path = out / "served.csv"
    head, rest = ",".join(["标题", *more]), ",".join(["", *more.values()])
    path.write_text(head + "\n" + f"{title}{rest}\n" * count, encoding="utf-8")
    return path


def test_served_products_that_are_alike_pass(call, shop):
    done = call("schema", "check", served(shop, "usb plugs"), "--out", shop)
    assert (done.code, done.err) == (0, "")
    assert "300 products beside 300 rows accepted to learn from" in done.out
    assert "They are alike" in done.out


def test_served_products_that_are_unlike_are_told(call, shop):
    done = call("schema", "check", served(shop, "手机保护壳透明"), "--out", shop)
    assert done.code == 1
    assert "'标题' in served, unlike train" in done.out
    assert "checks.max_skew" in done.out


def test_threshold_of_the_last_run_holds_for_served_products(call, shop):
    (shop / "settings.yaml").write_text("checks: {max_skew: 1.0}\n")
    assert call("schema", "check", served(shop, "手机保护壳透明"), "--out", shop).code == 0


def test_categories_of_served_products_count_where_they_are_named(call, shop):
    file = served(shop, "usb plugs", kind="Phones")
    assert call("schema", "check", file, "--out", shop).code == 0
    done = call("schema", "check", file, "--out", shop, "--label", "kind", "--json")
    assert done.code == 1
    values = json.loads(done.out)
    assert (values["against"], values["rows"]) == (1, 300)
    assert [anomaly["kind"] for anomaly in values["anomalies"]] == ["category_skew"]


def test_served_products_may_have_other_columns(call, shop):
    file = served(shop, "x", name="usb plugs")
    assert call("schema", "check", file, "--out", shop, "--text", "name").code == 0
    done = call("schema", "check", file, "--out", shop, "--text", "gone")
    assert done.code == 2
    assert "gone" in done.err


@pytest.mark.parametrize(
    ("label", "told"), [("标题", "texts or categories"), ("kind", "without one"), ("gone", "gone")]
)
def test_label_without_categories_is_refused(call, shop, label, told):
    file = served(shop, "usb plugs", kind="")
    done = call("schema", "check", file, "--out", shop, "--label", label)
    assert done.code == 2
    assert told in done.err


def test_served_rows_that_cannot_be_read_are_counted(call, shop):
    (shop / "settings.yaml").write_text("data: {max_rejects: 0.1}\n")
    file = served(shop, "usb plugs")
    with file.open("a", encoding="utf-8") as stream:
        stream.write("usb plugs,stray\n" * 20)
    done = call("schema", "check", file, "--out", shop)
    assert (done.code, "20 rows could not be read" in done.err) == (0, True)
    assert json.loads(call("schema", "check", file, "--out", shop, "--json").out)["rejected"] == 20


def test_served_file_of_which_too_little_can_be_read_is_refused(call, shop):
    file = served(shop, "usb plugs,stray")
    done = call("schema", "check", file, "--out", shop)
    assert done.code == 2
    assert "data.max_rejects" in done.err
    assert "served.csv" in done.err


def test_served_file_need_not_be_written_as_those_of_the_run(call, shop):
    (shop / "settings.yaml").write_text(
        "data: {text: [标题], label: kind, group: sku, encoding: gb18030, delimiter: ;}\n"
    )
    file = served(shop, "usb plugs", kind="Audio")
    with file.open("a", encoding="utf-8") as stream:
        stream.write("usb plugs,Phones\n" * 150)
    done = call("schema", "check", file, "--out", shop, "--label", "kind")
    assert (done.code, done.err) == (0, "")
    assert "450 products (450 with a category)" in done.out


def test_nothing_is_compared_with_rows_that_nobody_accepted(call, tmp_path):
    propose(tmp_path / "out", NEW)
    done = call("schema", "check", served(tmp_path, "usb plugs"), "--out", tmp_path / "out")
    assert done.code == 2
    assert "prodcls schema accept" in done.err


def test_served_file_without_a_row_is_refused(call, shop):
    done = call("schema", "check", served(shop, "x", count=0), "--out", shop)
    assert done.code == 2
    assert "at least one row" in done.err


def test_schema_is_shown_without_tensorflow(out, fresh_python):
    loaded = fresh_python(
        "import sys; from prodcls_tf.cli import main;"
        f"main(['schema', 'show', '--out', {str(out)!r}]);"
        "print('LOADED', *({'tensorflow', 'tfx', 'numpy', 'pyarrow'} & set(sys.modules)))"
    )
    assert loaded.splitlines()[-1] == "LOADED"
