"""Rows 1, 2, 3, 7 and 8: versions come, go and are broken under load; and memory over swaps."""

from __future__ import annotations

import itertools
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from tests.serving.server.test_registry_with_models import DATA, remove, truncate
from tests.soak.shop import Shop
from tests.soak.trial import Trial

_SWAPS = 20
# After so many swaps TensorFlow and malloc have the memory that they will keep.
_SETTLED = 10

Damage = tuple[str, Callable[[Path], None]]


def hot_swaps(trial: Trial) -> None:
    """Row 1: twenty new versions, evenly over the time."""
    shop, took = Shop(trial, real=True), []
    with shop.served() as server, shop.load(server) as load:
        for number in range(2, _SWAPS + 2):
            began = time.monotonic()
            shop.push(number)
            took.append(server.until_live(number))
            load.until_all_at(number)
            load.hold(max(0.0, trial.settings.seconds / _SWAPS - (time.monotonic() - began)))
            shop.drop(number - 2)
        result = load.end()
    trial.note(f"{_SWAPS} swaps, each live within {max(took):.1f} s")
    trial.judge(result, order=list(range(1, _SWAPS + 2)))


def corrupt_graph(trial: Trial) -> None:
    """Row 2."""
    _damaged(trial, [("half a pb", truncate("saved_model.pb", 1000)), ("no pb at all", _scribble)])


def incomplete_folder(trial: Trial) -> None:
    """Row 3."""
    _damaged(
        trial,
        [
            ("no pb", remove("saved_model.pb")),
            ("no index", remove("variables/variables.index")),
            ("truncated data", truncate(DATA, 9)),
        ],
    )


def _scribble(folder: Path) -> None:
    (folder / "saved_model.pb").write_bytes(b"no graph" * 1000)


def _damaged(trial: Trial, damages: list[Damage]) -> None:
    """Pushes damaged versions, each followed by a good one, until the time is over."""
    shop, newest, good, took = Shop(trial), 1, [1], []
    # Each damage as an export would suffer it, and as a foreign model without a manifest would.
    cases = list(itertools.product(damages, [True, False]))
    with shop.served() as server, shop.load(server) as load:
        end = time.monotonic() + trial.settings.seconds
        for done, ((name, damage), manifest) in enumerate(itertools.cycle(cases), 1):
            bad, newest = newest + 1, newest + 2
            shop.push(bad, damage, manifest=manifest)
            error = server.until_ended(bad)
            trial.check(bool(error), f"{name}: version {bad} is at END with its error")
            # Whom the old one no longer answered would be lost.
            load.until_answered()
            shop.push(newest)
            took.append(server.until_live(newest))
            good.append(newest)
            load.until_all_at(newest)
            if done >= len(cases) and time.monotonic() > end:
                break
        result = load.end()
    trial.check(max(took) <= 10, "the next good version is live within 10 s")
    trial.note(f"{len(took)} bad versions refused, the next good one live in {max(took):.1f} s")
    trial.judge(result, order=good)


def deleted_folders(trial: Trial) -> None:
    """Row 7: the current version's folder goes, then the model's; at last a new one comes."""
    shop, half = Shop(trial), trial.settings.seconds / 2
    with shop.served() as server, shop.load(server) as load:
        shop.drop(1)
        lines = [server.process.until_says("is gone from", 30)]
        load.hold(half)
        shutil.rmtree(shop.base)
        lines.append(server.process.until_says("Could not find base path", 30))
        load.hold(half)
        load.until_all_at(1, 10)
        new = shop.base.with_name("new")
        shop.push(2, base=new)
        new.rename(shop.base)
        took = server.until_live(2, 60)
        load.until_all_at(2)
        result = load.end()
    for line in lines:
        trial.check("level=error" in line.lower(), f"an error is logged, not {line!r}")
    trial.note(f"2 errors logged; a new folder is live in {took:.1f} s")
    trial.judge(result, order=[1, 2])


def rollbacks(trial: Trial) -> None:
    """Row 8: by policy for half of the time, by label for the other."""
    polled = "--model_config_file_poll_wait_seconds=0.5"
    shop = Shop(trial)
    shop.push(2)

    def policy(version: int) -> str:
        return f"model_version_policy {{ specific {{ versions: {version} }} }}"

    def label(version: int) -> str:
        return (
            "model_version_policy { all {} } "
            f'version_labels {{ key: "stable" value: {version} }}'
        )

    for name, entry, asked in (("policy", policy, None), ("label", label, "stable")):
        flag = f"--model_config_file={shop.configuration(shop.model(entry(2)))}"
        order, end = [2], time.monotonic() + trial.settings.seconds / 2
        with shop.served(flag, polled) as server, shop.load(server, label=asked) as load:
            while len(order) < 3 or time.monotonic() < end:
                order.append(3 - order[-1])
                shop.configuration(shop.model(entry(order[-1])))
                load.until_all_at(order[-1], 60)
                load.hold(1)
            result = load.end()
        trial.note(f"{len(order) - 1} moves by {name}")
        trial.judge(result, order=order, who=f"{name}: ")


def memory(trial: Trial) -> None:
    """Two hundred reloads under light load: what the server keeps of them."""
    shop, sizes = Shop(trial, real=True), []
    reloads = trial.settings.reloads
    quick = "--file_system_poll_wait_seconds=0.1"
    with shop.served(quick) as server, shop.load(server, clients=2, pause=0.05) as load:
        for number in range(2, reloads + 2):
            shop.push(number)
            server.until_live(number)
            server.until_ended(number - 1)
            shop.drop(number - 1)
            sizes.append(server.megabytes)
            if (number - 1) % _SETTLED == 0:
                load.until_all_at(number)
                sizes[-1] = server.megabytes
                trial.say(f"RSS {sizes[-1]:.0f} MB after {number - 1} reloads")
        result = load.end()
    first, last = sizes[min(_SETTLED, reloads) - 1], sizes[-1]
    trial.note(
        f"RSS {first:.0f} MB after {_SETTLED} reloads, {last:.0f} MB after {reloads} "
        f"({last / first - 1:+.1%}), at most {max(sizes):.0f} MB"
    )
    trial.check(last <= 1.1 * first, "RSS grows by no more than 10 %")
    trial.judge(result, versions=range(1, reloads + 2))
