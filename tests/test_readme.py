"""The README stays true: its settings table is the settings, its links lead somewhere."""

from __future__ import annotations

import json
import re
from pathlib import Path

from prodcls_tf.settings import Settings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_settings_table_names_every_setting_with_its_default():
    rows = dict(re.findall(r"^\| `(\w+\.\w+)` \| `(.+?)` \|", README, re.MULTILINE))
    defaults = {
        f"{section}.{name}": value
        for section, values in Settings().model_dump(mode="json").items()
        for name, value in values.items()
        if not isinstance(value, dict)  # tuning.space, which docs/tuning.md tells of
    }
    assert rows.keys() == defaults.keys()
    for name, shown in rows.items():
        wanted = defaults[name]
        assert shown == wanted or json.loads(shown) == wanted, name


def test_links_lead_to_files():
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
