"""Encodings and delimiters that nobody named."""

from __future__ import annotations

import gzip

import pyarrow
import pytest

from prodcls_tf.data import detecting
from prodcls_tf.data.notes import FileNotes
from prodcls_tf.data.reading import read_file
from prodcls_tf.errors import InputError, SettingsError
from prodcls_tf.settings import DataSettings, Settings

CHINESE = "手机壳 红色 适用于苹果,电子产品"
WESTERN = "Café crème 12½ €, Größe für Mädchen,Küche"


def read(path, **settings):
    notes = FileNotes()
    rows = list(read_file(path, DataSettings(**settings), notes=notes))
    return [(*row.fields, row.category, row.line) for row in rows], notes


def packed(content: bytes) -> bytes:
    return pyarrow.compress(content, "zstd", asbytes=True)


@pytest.mark.parametrize(
    ("encoding", "taken", "title"),
    [
        ("utf-8", "utf-8", "手机壳 Café"),
        ("utf-8-sig", "utf-8", "手机壳 Café"),
        ("ascii", "utf-8", "plain"),
        ("utf-16", "utf-16", "手机壳 Café"),
        ("utf-16-le", "utf-16-le", "手机壳 Café"),
        ("utf-16-be", "utf-16-be", "手机壳 Café"),
        ("utf-32", "utf-32", "手机壳 Café"),
        ("gb18030", "gb18030", "手机壳 红色 适用于苹果"),
        ("gb2312", "gb18030", "手机壳，红色"),
        ("cp1252", "cp1252", "Café crème 12½ €"),
        ("latin-1", "cp1252", "Größe 25°C"),
    ],
)
def test_encoding_is_found_out_and_noted(write, encoding, taken, title):
    path = write("a.csv", f"title,category\n{title},Ä\n".replace("Ä", "A"), encoding)
    rows, notes = read(path)
    assert rows == [(title, "A", 2)]
    assert notes.encoding == taken


@pytest.mark.parametrize(
    ("mark", "encoding", "named"),
    [
        ("\ufeff", "utf-8", "auto"),
        ("\ufeff", "utf-8", "utf-8-sig"),
        ("", "utf-16", "auto"),
        ("\ufeff", "utf-16-be", "utf-16-be"),
        ("\ufeff", "gb18030", "gb18030"),
    ],
)
def test_byte_order_mark_is_taken_off_and_noted(write, mark, encoding, named):
    rows, notes = read(write("a.csv", f"{mark}title,category\n手机,A\n", encoding), encoding=named)
    assert rows == [("手机", "A", 2)]
    assert notes.marked


@pytest.mark.parametrize("named", ["auto", "utf-8", "utf-8-sig"])
def test_file_without_a_byte_order_mark_is_noted_as_such(write, named):
    assert not read(write("a.csv", "title,category\nTV,A\n"), encoding=named)[1].marked


def test_encoding_that_is_named_is_taken(write):
    rows, notes = read(write("a.csv", "title,category\nЧай,A\n", "cp1251"), encoding="cp1251")
    assert rows == [("Чай", "A", 2)]
    assert notes.encoding == "cp1251"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Привет мир, телефон чёрный", "cp1251"),
        ("ノートパソコン シルバー,家電", "shift_jis"),
        ("手機殼 紅色,電子 筆記型電腦 滑鼠 鍵盤 無線藍牙耳機 運動手錶", "big5"),
        ("ノートパソコン 家電 無線マウス", "euc_jp"),
    ],
)
def test_encoding_that_bytes_do_not_tell_is_asked_for(write, text, encoding):
    path = write("a.csv", f"title,category\n{text},A\n", encoding)
    with pytest.raises(InputError, match=r"a\.csv.*--set data\.encoding="):
        read(path)


def test_first_bytes_beyond_ascii_decide_however_late_they_come(write):
    plain = "Radio,Audio\n" * 50_000
    rows, notes = read(write("a.csv", f"title,category\n{plain}{CHINESE}\n", "gb18030"))
    assert rows[-1] == ("手机壳 红色 适用于苹果", "电子产品", 50_002)
    assert notes.encoding == "gb18030"


def test_one_broken_byte_makes_no_other_encoding_of_utf_8(write):
    content = f"title,category\n{CHINESE}\nbad \xff,A\n".encode().replace(b"\xc3\xbf", b"\xff")
    assert detecting.encoding_of(content) == "utf-8"


def test_character_cut_off_at_the_end_of_the_sample_is_no_fault():
    assert detecting.encoding_of("手机".encode()[:-1]) == "utf-8"
    assert detecting.encoding_of(("手机壳红色" * 9).encode("gb18030")[:-1]) == "gb18030"


def test_json_lines_are_detected_too(write):
    path = write("a.jsonl", f'{{"title": "{WESTERN}", "category": "A"}}\n', "cp1252")
    assert read(path)[0] == [(WESTERN, "A", 1)]


@pytest.mark.parametrize(
    ("name", "pack"), [("a.csv.gz", gzip.compress), ("a.csv.zst", packed)], ids=["gz", "zst"]
)
def test_packed_files_are_detected_too(write, name, pack):
    rows, notes = read(write(name, pack("title,category\n手机壳红色,电子\n".encode("gb18030"))))
    assert rows == [("手机壳红色", "电子", 2)]
    assert notes.encoding == "gb18030"


def test_zstandard_frames_one_after_the_other_are_read_to_their_end(write):
    parts = [b"title,category\nTV,A\n", b"Radio,B\n"]
    rows, _ = read(write("a.csv.zst", b"".join(map(packed, parts))))
    assert rows == [("TV", "A", 2), ("Radio", "B", 3)]


def test_zstandard_file_that_is_cut_off_is_refused(write):
    rows = "".join(f"TV {i},Video {i * i}\n" for i in range(9_999))
    whole = packed(f"title,category\n{rows}".encode())
    with pytest.raises(InputError, match="whole Zstandard data"):
        read(write("a.csv.zst", whole[: len(whole) // 2]))


def test_plain_file_that_is_named_zst_is_refused(write):
    with pytest.raises(InputError, match="whole Zstandard data"):
        read(write("a.csv.zst", "title,category\nTV,Video\n" * 9))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiter_is_found_out_and_noted(write, delimiter):
    rows, notes = read(write("a.csv", f"title{delimiter}category\nA: b/c{delimiter}X\n"))
    assert rows == [("A: b/c", "X", 2)]
    assert notes.delimiter == delimiter


@pytest.mark.parametrize("given", ["~", "tab", r"\t"])
def test_delimiter_that_is_named_is_taken(write, given):
    sign = "~" if given == "~" else "\t"
    path = write("a.csv", f"title{sign}category\nRadio, red; new{sign}Audio\n")
    settings = Settings.load(overrides=[f"data.delimiter={given}"]).data
    assert [row.fields for row in read_file(path, settings)] == [("Radio, red; new",)]


@pytest.mark.parametrize("given", ["", "::", '"', "\n"])
def test_delimiter_that_cannot_be_one_is_refused(given):
    with pytest.raises(SettingsError, match="one character"):
        Settings.parse({"data": {"delimiter": given}})


def test_excel_line_that_names_the_delimiter_is_no_header(write):
    rows, notes = read(write("a.csv", "\ufeffsep=|\r\ntitle|category\r\nTV|Video\r\n"))
    assert rows == [("TV", "Video", 3)]
    assert notes.delimiter == "|"


def test_backslash_before_a_quote_in_quotes_is_no_part_of_the_text(write):
    path = write("a.csv", 'title,category\n"13\\" laptop, red",A\n')
    rows, notes = read(path)
    assert rows == [('13" laptop, red', "A", 2)]
    assert (notes.mended.rows, notes.mended.examples) == (1, [f"{path}:2"])
