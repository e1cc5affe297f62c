from __future__ import annotations

import pytest

from prodcls_tf.data.profile import LENGTHS, FieldProfile, Profile


def profile_of(*texts: str) -> FieldProfile:
    profile = FieldProfile()
    profile.add(texts)
    return profile


@pytest.mark.parametrize("text", ["", " ", "\t\n", "\u3000"])
def test_text_without_anything_visible_is_empty(text):
    profile = profile_of(text)
    assert (profile.empty, profile.filled, profile.lengths, profile.languages) == (1, 0, {}, {})


def test_texts_are_counted_by_language():
    assert profile_of("cable for a phone", "手机壳", "手机充电线", "xz-7", "13.3").languages == {
        "en": 1,
        "zh": 2,
        "unclear (Latin)": 1,
        "no letters": 1,
    }


@pytest.mark.parametrize("text", ["12", "-3.50", "+1,299.00"])
def test_bare_number_is_counted(text):
    assert profile_of(text).numbers == 1


@pytest.mark.parametrize("text", ["12 cm", "a1", "1-2", "."])
def test_text_with_more_than_a_number_is_a_text(text):
    assert profile_of(text).numbers == 0


@pytest.mark.parametrize(("text", "bound"), [("a", 1), ("手机壳", 3), ("a" * 17, 19)])
def test_length_is_counted_in_characters_up_to_a_bound(text, bound):
    assert profile_of(text).lengths == {bound: 1}


def test_endless_text_has_the_last_length():
    assert profile_of("a" * (LENGTHS[-1] + 5)).lengths == {LENGTHS[-1]: 1}


def test_parts_add_up():
    whole, parts = Profile(), Profile()
    rows = [("usb cable", "A"), ("", "B"), ("手机壳", "A"), ("12", "C")]
    whole.add({"title": [title for title, _ in rows]}, [category for _, category in rows])
    for title, category in rows:
        parts.add({"title": [title]}, [category])
    assert parts == whole
    assert whole.rows == 4
    assert whole.categories == {"A": 2, "B": 1, "C": 1}


def test_profile_survives_json():
    profile = Profile()
    profile.add({"title": ["usb", ""], "标题": ["手机壳", "x"]}, ["A > B", "C"])
    assert Profile.model_validate_json(profile.model_dump_json()) == profile
