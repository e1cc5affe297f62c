from __future__ import annotations

import resource
import subprocess
import sys

from prodcls_tf import __version__

COMMANDS = (
    "demo",
    "run",
    "tune",
    "runs",
    "schema",
    "models",
    "classify",
    "evaluate",
    "tensorboard",
    "settings",
    "doctor",
)
HEAVY = (
    "ml_metadata",
    "tensorflow",
    "tfx",
    "transformers",
    "pandas",
    "numpy",
    "sklearn",
    "apache_beam",
)


def test_help_lists_every_command(prodcls):
    done = prodcls("--help")
    assert done.returncode == 0
    assert all(command in done.stdout for command in COMMANDS)


def test_help_answers_within_a_second(prodcls):
    # Processor time: what a second is on a machine that does nothing else.
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    prodcls("--help")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1.0


def test_help_loads_nothing_heavy(fresh_python):
    loaded = fresh_python(
        "import sys; from prodcls_tf.cli import main;"
        f"[main([command, '--help']) for command in {COMMANDS!r}]; main(['--help']);"
        f"print('LOADED', *(name for name in {HEAVY!r} if name in sys.modules))"
    )
    assert loaded.splitlines()[-1] == "LOADED"


def test_version(prodcls):
    done = prodcls("--version")
    assert (done.returncode, done.stdout) == (0, f"prodcls {__version__}\n")


def test_unknown_command_is_exit_code_2(prodcls):
    done = prodcls("clasify")
    assert done.returncode == 2
    assert "No such command" in done.stderr


def test_user_error_is_one_message_without_traceback(prodcls, tmp_path):
    done = prodcls("run", tmp_path / "missing.csv")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.strip().startswith("Error")
    assert "missing.csv" in done.stderr
    assert "Traceback" not in done.stderr


def test_debug_shows_the_traceback(prodcls, tmp_path):
    done = prodcls("run", tmp_path / "missing.csv", "--debug")
    assert done.returncode == 2
    assert "Traceback" in done.stderr


def test_reader_that_has_enough_is_no_error():
    command = f"{sys.executable} -m prodcls_tf.cli settings | head -n 1"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, check=False
    )
    assert done.stdout == "data:\n"
    assert done.stderr == ""


def test_tensorboard_without_logs_says_so(prodcls, tmp_path):
    done = prodcls("tensorboard", "--out", tmp_path)
    assert done.returncode == 2
    assert "no folder logs" in done.stderr


def test_tensorboard_itself_starts(fresh_python):
    assert "2." in fresh_python("from tensorboard import default, version; print(version.VERSION)")


def test_missing_extra_is_told_with_its_remedy(tmp_path):
    code = (
        "import sys; sys.modules['ml_metadata'] = None; from prodcls_tf.cli import main;"
        f"sys.exit(main(['runs', 'list', {str(tmp_path)!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'prodcls[pipeline]'" in done.stderr
