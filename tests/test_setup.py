"""The set-up script, with real processes and a PATH of its own; nothing is installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from prodcls_tf.cli import checks

ROOT = Path(__file__).parent.parent
SETUP = ROOT / ".ci" / "setup"
# What the script itself needs of a machine.
TOOLS = ("bash", "cat", "cut", "dirname", "flock", "grep", "rm", "sha256sum", "tail", "tr")


@pytest.fixture
def machine(tmp_path):
    """A machine without Python: a PATH with tools alone, and a home with nothing in it."""
    for name in ("bin", "home"):
        (tmp_path / name).mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        if found is not None:
            (tmp_path / "bin" / tool).symlink_to(found)
    return tmp_path


def run_setup(
    machine: Path, *arguments: str, clone: Path | None = None
) -> subprocess.CompletedProcess[str]:
    clone = clone or make_clone(machine / "fresh")
    return subprocess.run(
        ["bash", str(clone / ".ci" / "setup"), *arguments],
        env={"PATH": str(machine / "bin"), "HOME": str(machine / "home")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def write_program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!{shutil.which('bash')}\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def write_python(path: Path) -> Path:
    """A Python 3.10 under another name: the one that runs this test, but it installs nothing."""
    return write_program(path, f'[ "$1" = "-m" ] && exit 1; exec "{sys.executable}" "$@"')


def test_without_python_310_one_message_says_what_to_do(machine):
    done = run_setup(machine)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "needs Python 3.10" in done.stderr
    assert "uv python install 3.10" in done.stderr


def test_python_on_the_path_is_found(machine):
    python = write_python(machine / "bin" / "python3.10")
    done = run_setup(machine, "--python")
    assert (done.returncode, done.stdout.strip()) == (0, str(python))


def test_failing_shim_is_passed_over(machine):
    write_program(machine / "bin" / "python3.10", 'echo "pyenv: command not found" >&2; exit 127')
    python = write_python(machine / "home" / ".pyenv" / "versions" / "3.10.13" / "bin/python3.10")
    done = run_setup(machine, "--python")
    assert (done.returncode, done.stdout.strip()) == (0, str(python))


def test_failing_shim_alone_is_named_in_the_message(machine):
    shim = write_program(machine / "bin" / "python3.10", "exit 127")
    done = run_setup(machine)
    assert done.returncode == 1
    assert str(shim) in done.stderr


def test_other_version_under_the_right_name_is_passed_over(machine):
    other = '[ "$1" = "-I" ] && exit 1; exit 0'
    write_program(machine / "bin" / "python3.10", other)
    python = write_python(machine / "bin" / "python3")
    assert run_setup(machine, "--python").stdout.strip() == str(python)


def test_uv_fetches_a_python_where_there_is_none(machine):
    folder = machine / "uv" / "cpython-3.10.16-linux" / "bin"
    # Stands in for uv, which would download: it puts a Python where uv puts it.
    write_program(
        machine / "bin" / "uv",
        f"""case "$*" in
          "python dir") echo "{machine / "uv"}" ;;
          "python install 3.10")
            "{shutil.which("mkdir")}" -p "{folder}"
            "{shutil.which("ln")}" -s "{write_python(machine / "real")}" "{folder}/python3.10" ;;
        esac""",
    )
    done = run_setup(machine, "--python")
    assert (done.returncode, done.stdout.strip()) == (0, str(folder / "python3.10"))


def test_uv_that_cannot_fetch_ends_in_the_message(machine):
    write_program(machine / "bin" / "uv", "exit 2")
    done = run_setup(machine)
    assert done.returncode == 1
    assert "needs Python 3.10" in done.stderr


def make_clone(folder: Path) -> Path:
    """What set-up reads of a fresh clone."""
    shutil.copytree(ROOT / ".ci", folder / ".ci")
    for name in ("requirements.lock", "setup.cfg", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def set_up_clone(folder: Path) -> Path:
    """A clone that .ci/setup has set up before, as far as it can tell."""
    make_clone(folder)
    write_python(folder / ".venv" / "bin" / "python")
    parts = ("requirements.lock", "setup.cfg", "pyproject.toml", ".ci/setup")
    joined = b"".join((folder / name).read_bytes() for name in parts)
    digest = subprocess.run(["sha256sum"], input=joined, capture_output=True, check=True).stdout
    (folder / ".venv" / "prodcls-setup").write_bytes(digest.split()[0])
    return folder


def test_second_call_does_nothing(machine, tmp_path):
    clone = set_up_clone(tmp_path / "clone")
    done = run_setup(machine, clone=clone)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_changed_lock_is_set_up_again(machine, tmp_path):
    clone = set_up_clone(tmp_path / "clone")
    (clone / "requirements.lock").write_text("six==1.16.0\n", encoding="utf-8")
    done = run_setup(machine, clone=clone)
    assert "Installing 1 locked packages" in done.stderr


def test_failed_installation_says_what_to_do_and_is_not_taken_for_done(machine, tmp_path):
    clone = set_up_clone(tmp_path / "clone")
    (clone / "requirements.lock").write_text("six==1.16.0\n", encoding="utf-8")
    done = run_setup(machine, clone=clone)
    assert done.returncode == 1
    assert "check the network and the free disk space" in done.stderr
    assert not (clone / ".venv" / "prodcls-setup").exists()


def test_interrupted_set_up_is_done_again(machine, tmp_path):
    clone = set_up_clone(tmp_path / "clone")
    (clone / ".venv" / "prodcls-setup").unlink()
    # Without a Python it cannot go on, but that it tried is what counts.
    assert run_setup(machine, clone=clone).returncode == 1


def test_lock_names_no_host_and_no_path():
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert not re.search(r"https?://|file:|--index|^/", lock, re.MULTILINE)
    lines = [line for line in lock.splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[^ ]+", line) for line in lines)


def test_one_checksum_of_the_bundled_weights():
    assert f'ENCODER_SHA256="{checks.BUNDLED_SHA256}"' in SETUP.read_text(encoding="utf-8")
    notice = (ROOT / "NOTICE").read_text(encoding="utf-8")
    assert checks.BUNDLED_SHA256 in notice


def test_scripts_can_be_run():
    assert os.access(SETUP, os.X_OK)
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
