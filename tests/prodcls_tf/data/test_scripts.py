from __future__ import annotations

import pyarrow as pa
import pytest

from prodcls_tf.data.scripts import scripts_of


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("usb cable 2m", "Latin"),
        ("crème brûlée", "Latin"),
        ("iPhone 15 手机壳保护套防摔", "Han"),
        ("手机壳 iPhone 15", "Latin"),
        ("чехол для iPhone", "Cyrillic"),
        ("كابل شحن USB", "Arabic"),
        ("スマホケース", "Katakana"),
        ("한국어 케이스", "Hangul"),
        ("ಕನ್ನಡ", "Other"),
        ('13.3" ✓ ½', "no letters"),
        ("1234", "no letters"),
        ("", "no letters"),
        ("\x00", "no letters"),
    ],
)
def test_script_is_that_of_most_letters(text, script):
    assert scripts_of(pa.array([text])) == [script]


def test_texts_keep_their_order():
    texts = pa.array(["手机壳", "usb", "чехол", "7", "cable", "手机"])
    assert scripts_of(texts) == ["Han", "Latin", "Cyrillic", "no letters", "Latin", "Han"]


def test_nothing_has_no_script():
    assert scripts_of(pa.array([], pa.string())) == []
