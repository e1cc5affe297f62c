"""Which language a text is in, where that can be told."""

from __future__ import annotations

import pyarrow as pa
import pytest

from prodcls_tf.data.languages import languages_of


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Noise cancelling headphones for kids, wired", "en"),
        ("Kopfhörer für Kinder mit Kabel, faltbar", "de"),
        ("Casque audio filaire pour les enfants", "fr"),
        ("Mochila escolar para niños y niñas", "es"),
        ("Draadloze muis zwart met ontvanger", "nl"),
        ("Беспроводная мышь с приёмником", "ru"),
        ("אוזניות לילדים עם כבל", "he"),
        ("儿童有线耳机", "zh"),
        ("兒童有線耳機 降噪", "zh-Hant"),
        ("子供用ヘッドホン", "ja"),
        ("어린이용 헤드폰", "ko"),
    ],
)
def test_language_is_told(text, language):
    assert languages_of(pa.array([text])) == [language]


@pytest.mark.parametrize(
    ("text", "unclear"),
    [
        ("XZ-7 Pro", "unclear (Latin)"),
        ("usb", "unclear (Latin)"),
        ("Сони XZ-7", "unclear (Cyrillic)"),
        ("\U00010380\U00010381", "unclear (Other)"),
    ],
)
def test_where_nothing_is_sure_the_script_is_told(text, unclear):
    assert languages_of(pa.array([text])) == [unclear]


@pytest.mark.parametrize("text", ["", " ", '13.3" / 5', "✓✓✓", "\x00"])
def test_text_without_letters_has_no_language(text):
    assert languages_of(pa.array([text])) == ["no letters"]


@pytest.mark.parametrize("stray", ["\x00", "\x07", "\ufffe", "\ufdd0"])
def test_character_that_the_detector_refuses_leaves_the_script(stray):
    text = f"charging cable {stray} for a car"
    assert languages_of(pa.array([text])) == ["unclear (Latin)"]


def test_case_does_not_matter():
    titles = ["charging cable for a car", "CHARGING CABLE FOR A CAR"]
    assert languages_of(pa.array(titles)) == ["en", "en"]


def test_markup_is_text():
    assert languages_of(pa.array(["<charging cable for a car>"])) == ["en"]


def test_only_the_beginning_of_a_long_text_counts():
    long = "charging cable for a car " * 41 + "Ladekabel für das Auto " * 1000
    assert languages_of(pa.array([long])) == ["en"]


def test_beginning_may_end_within_a_character():
    assert languages_of(pa.array(["x" + "手机充电线一条白色" * 100])) == ["zh"]


def test_texts_keep_their_order():
    texts = ["手机壳", "charging cable for a car", "7", "Ladekabel für das Auto"]
    assert languages_of(pa.array(texts)) == ["zh", "en", "no letters", "de"]


def test_nothing_has_no_language():
    assert languages_of(pa.array([], pa.string())) == []
