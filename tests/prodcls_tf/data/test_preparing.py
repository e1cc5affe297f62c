from __future__ import annotations

from prodcls_tf.data.preparing import as_written, prepare
from prodcls_tf.data.reading import Row
from prodcls_tf.settings import DataSettings

ROW = Row(("usb  <b>cable</b>",), " Audio >  > Leads", "shop.csv", 7, group="g1", slice="north")


def test_row_keeps_what_is_no_text_and_no_category():
    ready, gaps = as_written(ROW, DataSettings())
    assert ready == Row(("usb cable",), "Audio > Leads", "shop.csv", 7, group="g1", slice="north")
    assert gaps


def test_row_that_is_judged_is_the_one_that_is_written():
    assert prepare(ROW, DataSettings()).row == as_written(ROW, DataSettings())[0]
