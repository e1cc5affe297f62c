from __future__ import annotations

import itertools
import subprocess
import sys

import pytest

from prodcls_tf.cli import resuming as module
from prodcls_tf.cli.resuming import resuming
from prodcls_tf.cli.whole_rows import WholeRow
from prodcls_tf.data.reading import Row
from prodcls_tf.errors import InputError, OutputError
from tests.conftest import ROOT


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch):
    monkeypatch.setattr("prodcls_tf.cli.terminal._err", None)
    monkeypatch.setenv("COLUMNS", "100")


def rows(count, text="pan"):
    return [
        WholeRow(Row((f"{text} {n}",), "", "in.csv", n), ["title"], [f"{text} {n}"])
        for n in range(count)
    ]


class StoppedError(Exception):
    pass


def write(output, source, *, stop_after=None, options=None, top_k=1, fresh=False, version=3):
    """Writes rows in chunks of two; stops after so many chunks of this call."""
    with resuming(output, top_k, options or {"model": "a"}, fresh=fresh) as part:
        left = part.unwritten(iter(source))
        chunks = 0
        while chunk := list(itertools.islice(left, 2)):
            part.add([(row, [("A > B", 0.5)] * top_k, version) for row in chunk])
            chunks += 1
            if chunks == stop_after:
                raise StoppedError
    return part


def stop(output, source, after, **how):
    with pytest.raises(StoppedError):
        write(output, source, stop_after=after, **how)


def titles(output):
    return [line.split(",")[0] for line in output.read_text().splitlines()[1:]]


def test_second_call_goes_on_where_the_first_stopped(tmp_path, capsys):
    output = tmp_path / "out.csv"
    stop(output, rows(9), 2)
    assert not output.exists()
    assert "4 rows kept in" in capsys.readouterr().err
    part = write(output, rows(9), version=4)
    assert "goes on after 4 rows" in capsys.readouterr().err
    assert titles(output) == [f"pan {n}" for n in range(9)]
    assert part.done.versions == {3: 4, 4: 5}
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


def test_bytes_behind_the_last_safe_row_are_cut_off(tmp_path):
    output = tmp_path / "out.csv"
    stop(output, rows(9), 2)
    with (tmp_path / "out.csv.part").open("a") as part:
        part.write("pan 4,A > B,0.5\npan 5,half a li")
    write(output, rows(9))
    assert titles(output) == [f"pan {n}" for n in range(9)]


def test_rows_behind_the_written_ones_may_change(tmp_path):
    output = tmp_path / "out.csv"
    stop(output, rows(9), 2)
    mended = rows(4) + rows(3, "mended")
    write(output, mended)
    assert titles(output) == [row.cells[0] for row in mended]


@pytest.mark.parametrize(
    ("source", "options", "received"),
    [
        (rows(9, "other"), None, "other rows in the input"),
        (rows(3), None, "other rows in the input"),
        (rows(9), {"model": "b"}, "another model"),
    ],
)
def test_what_does_not_fit_is_refused_and_left_alone(tmp_path, source, options, received):
    output = tmp_path / "out.csv"
    stop(output, rows(9), 2)
    with pytest.raises(InputError, match=rf"4 rows; received {received}.*--from-start"):
        write(output, source, options=options)
    write(output, rows(9))
    assert titles(output) == [f"pan {n}" for n in range(9)]


def test_part_that_was_cut_is_refused(tmp_path):
    output = tmp_path / "out.csv"
    stop(output, rows(9), 2)
    part = tmp_path / "out.csv.part"
    part.write_bytes(part.read_bytes()[:-5])
    with pytest.raises(InputError, match="fewer bytes"):
        write(output, rows(9))


def test_earlier_rows_are_thrown_away_on_request(tmp_path):
    output = tmp_path / "out.csv"
    stop(output, rows(9), 2)
    write(output, rows(5, "new"), fresh=True, options={"model": "b"})
    assert titles(output) == [f"new {n}" for n in range(5)]


@pytest.mark.parametrize("journal", [b"", b"{", b"[]", b'{"rows": -1}', b"\xff"])
def test_journal_of_somebody_else_is_no_journal(tmp_path, journal):
    output = tmp_path / "out.csv"
    stop(output, rows(9), 2)
    (tmp_path / "out.csv.journal").write_bytes(journal)
    write(output, rows(3, "new"))
    assert titles(output) == [f"new {n}" for n in range(3)]


def test_journal_without_a_part_is_that_of_a_finished_file(tmp_path):
    output = tmp_path / "out.csv"
    stop(output, rows(9), 2)
    (tmp_path / "out.csv.part").unlink()
    write(output, rows(3, "new"))
    assert titles(output) == [f"new {n}" for n in range(3)]


def test_nothing_stays_where_no_row_was_written(tmp_path):
    output = tmp_path / "out.csv"

    def broken():
        raise InputError("line 1")
        yield

    with pytest.raises(InputError, match="line 1"):
        write(output, broken())
    assert list(tmp_path.iterdir()) == []


def test_error_before_the_first_row_leaves_an_earlier_call_alone(tmp_path):
    output = tmp_path / "out.csv"
    stop(output, rows(9), 2)
    with pytest.raises(StoppedError), resuming(output, 1, {"model": "a"}):
        raise StoppedError
    write(output, rows(9))
    assert titles(output) == [f"pan {n}" for n in range(9)]


def test_chunk_that_cannot_be_written_is_not_written_at_all(tmp_path):
    output = tmp_path / "out.csv"
    odd = WholeRow(Row(("x",), "", "in.csv", 9), ["title", "more"], ["x", "y"])
    with pytest.raises(InputError, match="besides"):
        write(output, [*rows(5), odd])
    assert titles(tmp_path / "out.csv.part") == [f"pan {n}" for n in range(4)]


def test_two_processes_do_not_write_one_file(tmp_path):
    output = tmp_path / "out.csv"
    with resuming(output, 1, {}) as part:
        part.unwritten(iter([]))
        with pytest.raises(OutputError, match="another one is writing"):
            write(output, rows(3))
    assert output.exists()


def test_disk_that_is_full_keeps_what_was_safe(tmp_path, capsys):
    output = tmp_path / "out.csv"

    def fill(part):
        part.unwritten(iter(rows(4)))
        part.add([(row, [("A", 0.5)], 3) for row in rows(2)])
        with open("/dev/full", "wb", buffering=0) as full:  # noqa: PTH123
            part._stream, real = full, part._stream
            try:
                part.add([(row, [("A", 0.5)], 3) for row in rows(2)])
            finally:
                part._stream = real

    with pytest.raises(OutputError, match="free space"), resuming(output, 1, {}) as part:
        fill(part)
    assert part.done.rows == 2
    assert "2 rows kept" in capsys.readouterr().err


def test_disk_is_waited_for_at_most_once_a_second(tmp_path, monkeypatch):
    waits = []
    monkeypatch.setattr(module.os, "fsync", waits.append)
    write(tmp_path / "out.csv", rows(400))
    assert len(waits) < 50


def test_kill_at_any_step_neither_doubles_nor_loses_a_row(tmp_path):
    script = "tests.prodcls_tf.cli.killed_at_every_step"
    done = subprocess.run(
        [sys.executable, "-m", script, str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 60
