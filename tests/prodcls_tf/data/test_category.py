"""Category paths as people type them."""

from __future__ import annotations

import pytest

from prodcls_tf.data.category import clean_category


@pytest.mark.parametrize(
    ("text", "path", "gaps"),
    [
        ("Audio > Radio", "Audio > Radio", False),
        ("  Audio  >\u00a0 Clock   radio ", "Audio > Clock radio", False),
        ("Audio", "Audio", False),
        ("Audio>Radio", "Audio>Radio", False),
        ("Audio >  > Radio", "Audio > Radio", True),
        ("Audio > > Radio", "Audio > Radio", True),
        ("Audio >", "Audio", True),
        ("> Audio", "Audio", True),
        (" > ", "", False),
        ("", "", False),
        ("Cafe\u0301 > \ufeffBeans", "Café > Beans", False),
        ("nan > x", "nan > x", False),
        ("音响 > 收音机", "音响 > 收音机", False),
    ],
)
def test_levels_are_trimmed_and_gaps_closed(text, path, gaps):
    assert clean_category(text, " > ") == (path, gaps)


@pytest.mark.parametrize("text", ["nan", "NaN", "null", "None", "N/A", " nan "])
def test_words_for_no_label_are_no_label(text):
    assert clean_category(text, " > ") == ("", False)


@pytest.mark.parametrize("text", ["Nan", "NULL", "none", "Nano"])
def test_words_that_only_look_like_it_are_labels(text):
    assert clean_category(text, " > ") == (text, False)


@pytest.mark.parametrize(
    ("text", "separator", "path"),
    [("a / b", "/", "a/b"), ("a|b | c", "|", "a|b|c"), ("a\t b", "\t", "a\tb")],
)
def test_other_separators(text, separator, path):
    assert clean_category(text, separator) == (path, False)
