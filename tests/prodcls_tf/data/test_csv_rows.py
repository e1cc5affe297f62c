"""CSV files, good ones and those that shops really send."""

from __future__ import annotations

import csv
import gzip
import io
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prodcls_tf.data import csv_rows, text_lines
from prodcls_tf.data.reading import Row, read_rows
from prodcls_tf.errors import InputError, SettingsError
from prodcls_tf.settings import DataSettings

SETTINGS = DataSettings()
UTF_8 = DataSettings(encoding="utf-8")


def read(path, settings=SETTINGS, labelled=True):
    return list(read_rows([path], settings, labelled))


def values(path, settings=SETTINGS):
    return [(*row.fields, row.category, row.line) for row in read(path, settings)]


def refusal(path, settings=SETTINGS):
    with pytest.raises(InputError) as caught:
        read(path, settings)
    return str(caught.value)


def test_row_has_fields_category_file_and_line(write):
    path = write("a.csv", "id,category,title\n7,Audio > Radio,Red radio\n")
    assert read(path) == [Row(("Red radio",), "Audio > Radio", str(path), 2)]


@pytest.mark.parametrize(("column", "value"), [("brand", "Bell"), ("title", "Radio"), ("", "")])
def test_column_to_compare_by_is_read_beside_the_others(write, column, value):
    path = write("a.csv", "brand,title,category\nBell,Radio,Audio\n")
    assert [row.slice for row in read(path, DataSettings(slice_by=column))] == [value]
    assert values(path, DataSettings(slice_by=column)) == [("Radio", "Audio", 2)]


def test_column_to_compare_by_is_not_needed_without_labels(write):
    path = write("a.csv", "title,category\nRadio,Audio\n")
    settings = DataSettings(slice_by="brand")
    assert [row.slice for row in read(path, settings, labelled=False)] == [""]
    assert "brand" in refusal(path, settings)


def test_fields_come_in_the_order_of_the_settings(write):
    path = write("a.csv", "title,category,brand\nRadio,Audio,Bell\n")
    assert values(path, DataSettings(text=["brand", "title"])) == [("Bell", "Radio", "Audio", 2)]


def test_unlabelled_reading_needs_no_label_column(write):
    assert read(write("a.csv", "title\nRadio\n"), labelled=False)[0].category == ""


def test_byte_order_mark_is_no_part_of_the_first_column(write):
    assert values(write("a.csv", "\ufefftitle,category\nRadio,Audio\n")) == [("Radio", "Audio", 2)]


def test_blanks_around_header_names_do_not_count(write):
    assert values(write("a.csv", "title , category\nRadio,Audio\n")) == [("Radio", "Audio", 2)]


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_every_line_end_keeps_rows_and_line_numbers(write, end):
    path = write("a.csv", end.join(["title,category", "Radio,Audio", "TV,Video", ""]))
    assert values(path) == [("Radio", "Audio", 2), ("TV", "Video", 3)]


def test_quoted_field_over_several_lines_counts_physical_lines(write):
    path = write("a.csv", 'title,category\r\n"a\r\nb\r\n\r\nc",X\r\nTV,Y\r\n"q\r\nr",Z\r\n')
    assert values(path) == [("a\r\nb\r\n\r\nc", "X", 2), ("TV", "Y", 6), ("q\r\nr", "Z", 7)]


def test_empty_lines_are_skipped_and_counted(write):
    assert values(write("a.csv", "\n\ntitle,category\n\nRadio,Audio\n  \nTV,Video")) == [
        ("Radio", "Audio", 5),
        ("TV", "Video", 7),
    ]


def test_empty_cell_of_a_one_column_file_is_a_row(write):
    rows = read(write("a.csv", 'title\n""\nRadio\n'), labelled=False)
    assert [row.fields for row in rows] == [("",), ("Radio",)]


@pytest.mark.parametrize(
    ("cell", "title"),
    [
        ('13" laptop', '13" laptop'),
        ('TV 40"', 'TV 40"'),
        ('"13"" laptop, silver"', '13" laptop, silver'),
        ('"13" laptop"', '13" laptop'),
        ('"13" laptop, silver"', '13" laptop, silver'),
        ('"Best" coffee mug', '"Best" coffee mug'),
        ('"Best mug" ', "Best mug"),
    ],
)
def test_inch_marks_and_bare_quotes_read_right(write, cell, title):
    path = write("a.csv", f"title,category\n{cell},Things\nnext,Things\n")
    assert values(path) == [(title, "Things", 2), ("next", "Things", 3)]


def test_bare_quotes_beside_a_quoted_cell_read_right(write):
    path = write("a.csv", 'title,category\n"Best" mug,"Kitchen, cups"\n')
    assert values(path) == [('"Best" mug', "Kitchen, cups", 2)]


@pytest.mark.parametrize(
    ("record", "title"),
    [
        (r'"13\" laptop, red",Things', '13" laptop, red'),
        ('"13\\" laptop, red\nmore text",Things', '13" laptop, red\nmore text'),
        ('"13\\" laptop\n\n27\\" screen",Things', '13" laptop\n\n27" screen'),
        (r'"\"Best\" mug",Things', '"Best" mug'),
        (r'"Monitor 24\"",Things', 'Monitor 24"'),
        (r'"13\", black","Things"', '13", black'),
        ('"13\\" in C:\\\\",Things', '13" in C:\\\\'),
    ],
)
def test_quotes_behind_backslashes_are_text(write, record, title):
    path = write("a.csv", f"title,category\n{record}\nnext,Things\n")
    last = 3 + record.count("\n")
    assert values(path, DataSettings(clean=False)) == [
        (title, "Things", 2),
        ("next", "Things", last),
    ]


def test_columns_behind_a_quote_over_several_lines_keep_their_names(write):
    text = '"id","kind","title","category"\n"900","new","27\\" screen, IPS\nwith HDMI","Video"\n'
    assert values(write("a.csv", text)) == [('27" screen, IPS\nwith HDMI', "Video", 2)]


def test_file_without_last_line_end_reads_to_its_end(write):
    assert values(write("a.csv", 'title,category\n"Radio","Audio"')) == [("Radio", "Audio", 2)]


def test_tab_file_reads_commas_as_text(write):
    assert values(write("a.tsv", "title\tcategory\nRadio, red\tAudio\n")) == [
        ("Radio, red", "Audio", 2)
    ]


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_csv_with_another_delimiter_in_its_header_is_understood(write, delimiter):
    path = write("a.csv", f"title{delimiter}category\nRadio, red{delimiter}Audio\n")
    assert values(path) == [("Radio, red", "Audio", 2)]


def test_semicolon_in_a_comma_header_does_not_change_the_delimiter(write):
    assert values(write("a.csv", "title,category,a;b\nRadio;red,Audio,1\n")) == [
        ("Radio;red", "Audio", 2)
    ]


def test_zipped_file_reads_like_a_plain_one(write):
    path = write("a.csv.gz", gzip.compress(b"title,category\nRadio,Audio\n"))
    assert values(path) == [("Radio", "Audio", 2)]


def test_field_beyond_the_csv_modules_own_limit_is_read(write):
    long = "x" * 200_000
    assert values(write("a.csv", f'title,category\n{long},A\n"{long}",B\n')) == [
        (long, "A", 2),
        (long, "B", 3),
    ]


def test_words_like_nan_stay_text_in_titles(write):
    assert values(write("a.csv", "title,category\nnan,A\nNone,B\n")) == [
        ("nan", "A", 2),
        ("None", "B", 3),
    ]


@pytest.mark.parametrize("encoding", ["gb18030", "utf-16", "utf-16-le", "cp1252"])
def test_other_encodings_are_read_when_named(write, encoding):
    title = "Café" if encoding == "cp1252" else "手机 Café"
    path = write("a.csv", f"title,category\n{title},A\n", encoding)
    assert values(path, DataSettings(encoding=encoding)) == [(title, "A", 2)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(st.tuples(*[st.text(st.sampled_from('a",\n\r; \t’中'), max_size=8)] * 2), min_size=1)
)
def test_whatever_the_csv_module_writes_is_read_back(write, rows):
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([("title", "category"), *rows])
    path = write("a.csv", text.getvalue())
    assert [(row.fields[0], row.category) for row in read(path)] == rows


def test_reading_many_rows_keeps_memory_flat(tmp_path):
    path = tmp_path / "a.csv"
    with path.open("w") as stream:
        stream.write("title,category\n")
        stream.writelines(f'"product, number {i}",category {i % 7}\n' for i in range(100_000))
    tracemalloc.start()
    try:
        assert sum(1 for _ in read_rows([path], SETTINGS)) == 100_000
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_quote_that_never_closes_is_refused_at_the_line_it_opens(write):
    path = write("a.csv", 'title,category\nTV,Video\n"13 laptop,Laptops\nRadio,Audio\n')
    message = refusal(path)
    assert message.startswith(f"{path}:3: ")
    assert "opens in line 3" in message
    assert "Close the quote" in message


def test_quote_that_never_closes_in_the_last_line_is_refused(write):
    assert ":3: " in refusal(write("a.csv", 'title,category\nTV,Video\n"13 laptop,Laptops'))


def test_backslash_whose_quote_never_closes_is_refused(write):
    text = 'title,category\n"13\\" laptop, red\nRadio,Audio\n'
    assert ":2: " in refusal(write("a.csv", text))
    assert ":2: " in refusal(write("a.csv", 'title,category\n"13\\" laptop, red'))


def test_quote_that_swallows_rows_up_to_another_quote_is_refused(write):
    path = write("a.csv", 'title,category\n"13 laptop,Laptops\nTV,Video\n"Radio, red",Audio\n')
    assert refusal(path).startswith(f"{path}:2: ")


def test_quote_that_opens_later_in_a_long_record_is_named_by_its_own_line(write):
    path = write("a.csv", 'title,category\n"two\nlines","Audio\nRadio,Audio\n')
    assert refusal(path).startswith(f"{path}:3: ")


def test_quote_open_beyond_the_line_bound_is_refused(write, monkeypatch):
    monkeypatch.setattr(csv_rows, "MAX_QUOTED_LINES", 5)
    path = write("a.csv", 'title,category\n"13 laptop,L\n' + "TV,Video\n" * 9 + 'x",Y\n')
    message = refusal(path)
    assert message.startswith(f"{path}:2: ")
    assert "up to line 7." in message


def test_quote_open_beyond_the_character_bound_is_refused(write, monkeypatch):
    monkeypatch.setattr(csv_rows, "MAX_QUOTED_CHARACTERS", 50)
    path = write("a.csv", 'title,category\n"13 laptop,L\n' + "TV,Video\n" * 9 + 'x",Y\n')
    assert refusal(path).startswith(f"{path}:2: ")


@pytest.mark.parametrize(("row", "cells"), [("Radio, red,Audio", 3), ("Radio", 1)])
def test_row_with_another_number_of_cells_is_refused(write, row, cells):
    path = write("a.csv", f"title,category\nTV,Video\n{row}\n")
    message = refusal(path)
    assert message.startswith(f"{path}:3: ")
    assert f"Expected 2 cells, received {cells}." in message


def test_empty_file_is_refused(write):
    assert "empty file" in refusal(write("a.csv", ""))


def test_file_of_blank_lines_is_refused_as_empty(write):
    assert "empty file" in refusal(write("a.csv", "\ufeff\n\n"))


def test_header_only_is_refused(write):
    assert "none beside the header" in refusal(write("a.csv", "title,category\n"))


def test_header_only_beside_a_file_with_rows_is_fine(write):
    files = [write("a.csv", "title,category\n"), write("b.csv", "title,category\nTV,Video\n")]
    assert len(list(read_rows(files, SETTINGS))) == 1


def test_missing_column_lists_those_there_and_the_closest(write):
    message = refusal(write("a.csv", "Titel,Category,price\nTV,Video,1\n"))
    assert "'title' is missing" in message
    assert "'Titel', 'Category', 'price'" in message
    assert "--text 'Titel'" in message


def test_missing_label_names_its_own_option(write):
    message = refusal(write("a.csv", "title,Category\nTV,Video\n"))
    assert "Did you mean 'Category'?" in message
    assert "--label 'Category'" in message


def test_missing_column_without_a_close_name_says_the_option(write):
    assert "Name the column with --label." in refusal(write("a.csv", "title,x\nTV,1\n"))


def test_column_that_is_used_and_there_twice_is_refused(write):
    assert "2 columns named 'title'" in refusal(write("a.csv", "title,category,title\na,b,c\n"))


def test_column_that_is_not_used_may_be_there_twice(write):
    assert values(write("a.csv", "x,title,x,category,,\n1,TV,2,Video,,\n")) == [("TV", "Video", 2)]


def test_latin_1_bytes_are_refused_with_line_offset_and_remedy(write):
    path = write("a.csv", "title,category\nTV,Video\nCafé,Food\n", "latin-1")
    message = refusal(path, UTF_8)
    assert message.startswith(f"{path}:3: ")
    assert "e9 2c 46 6f at byte offset 27." in message
    assert "--set data.encoding=cp1252" in message


def test_gb18030_bytes_are_refused_with_that_encoding_as_remedy(write):
    message = refusal(write("a.csv", "title,category\n红色收音机,音响\n", "gb18030"), UTF_8)
    assert ":2: " in message
    assert "--set data.encoding=gb18030" in message


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_wrong_byte_far_into_a_file_is_found_exactly(write, end):
    good = "".join(f"手机 {i},Video{end}" for i in range(20_000))
    content = f"title,category{end}{good}".encode()
    path = write("a.csv", content + b"\xff\xfe,x\n")
    message = refusal(path)
    assert message.startswith(f"{path}:20002: ")
    assert f"byte offset {len(content)}." in message


def test_character_cut_off_at_the_end_of_the_file_is_refused(write):
    content = "title,category\nTV,视".encode()[:-1]
    assert f"byte offset {len(content) - 2}." in refusal(write("a.csv", content))


def test_utf_16_file_is_refused_with_that_encoding_as_remedy(write):
    message = refusal(write("a.csv", "title,category\nTV,Video\n", "utf-16"), UTF_8)
    assert ":1: " in message
    assert "--set data.encoding=utf-16," in message


def test_utf_16_without_mark_is_refused_with_that_encoding_as_remedy(write):
    message = refusal(write("a.csv", "title,category\nTV,Video\n", "utf-16-le"), UTF_8)
    assert "NUL" in message
    assert "--set data.encoding=utf-16-le" in message


def test_nul_character_is_refused_with_its_place(write):
    message = refusal(write("a.csv", b"title,category\nTV,Video\nRa\0dio and more,Audio\n"))
    assert ":3: " in message
    assert "at character 3." in message


def test_unknown_encoding_is_refused(write):
    path = write("a.csv", "title,category\nTV,Video\n")
    with pytest.raises(SettingsError, match=r"data\.encoding"):
        read(path, DataSettings(encoding="klingon"))


def test_line_without_end_is_refused(write, monkeypatch):
    monkeypatch.setattr(text_lines, "MAX_LINE_CHARACTERS", 100)
    assert ":2: " in refusal(write("a.csv", "title,category\n" + "x" * 200))


def test_plain_file_that_is_named_gz_is_refused(write):
    assert "gzip" in refusal(write("a.csv.gz", "title,category\nTV,Video\n"))


def test_zipped_file_that_is_cut_off_is_refused(write):
    rows = "".join(f"TV {i},Video {i * i}\n" for i in range(9_999))
    whole = gzip.compress(f"title,category\n{rows}".encode())
    assert "gzip" in refusal(write("a.csv.gz", whole[: len(whole) // 2]))


def test_inch_mark_that_leaves_a_quoted_field_open_is_refused(write):
    path = write("a.csv", 'title,category\n"TV, 40"",Video\nRadio,Audio\n')
    assert refusal(path).startswith(f"{path}:2: ")


@pytest.mark.parametrize(
    ("content", "remedy"),
    [
        (gzip.compress(b"title"), "looks like gzip"),
        (b"PK\x03\x04\x8b\xff", "looks like a workbook"),
    ],
    ids=["gzip", "workbook"],
)
def test_packed_file_under_a_plain_name_is_refused_for_what_it_is(write, content, remedy):
    assert remedy in refusal(write("a.csv", content))


def test_encoding_that_is_set_wrongly_is_refused_without_guessing(write):
    path = write("a.csv", "title,category\nTV,Video\n")
    assert "most files are utf-8" in refusal(path, DataSettings(encoding="utf-16"))
