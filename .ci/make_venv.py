"""Make the virtual environment: python3 make_venv.py FOLDER REQUIREMENTS.

Runs under any Python 3.6 or later, takes a supported one, and writes ``FOLDER/.ready`` last. An
installation that was interrupted (``FOLDER/.installing`` is still there) is started again from an
empty folder.
"""

import fcntl
import os
import shutil
import subprocess
import sys

SUPPORTED = [(3, minor) for minor in (13, 12, 11, 10)]
APT = "apt-get install python3 python3-venv python3-dev"


def stop(message: str) -> None:
    """End with one line."""
    sys.exit("fastpose: " + message)


def works(python: str, code: str) -> bool:
    """Whether ``python -c code`` succeeds."""
    try:
        return subprocess.run([python, "-c", code], capture_output=True).returncode == 0
    except OSError:
        return False


def find_python() -> str:
    """This interpreter when it is supported, else the newest supported one on PATH."""
    if sys.version_info[:2] in SUPPORTED:
        return sys.executable
    names = [f"python{major}.{minor}" for major, minor in SUPPORTED]
    found = next((name for name in names if works(name, "import venv")), None)
    if found is None:
        major, minor = sys.version_info[:2]
        stop(
            f"python3 is {major}.{minor}, outside of 3.10 to 3.13; install one of these, then run "
            "make again with PYTHON=python3.12 (for example)"
        )
    return str(found)


def make(folder: str, requirements: str) -> None:
    """Create the environment and install into it, stamp last."""
    python = os.path.join(folder, "bin", "python")
    started = os.path.join(folder, ".installing")
    ready = os.path.join(folder, ".ready")
    if os.path.exists(ready):
        os.remove(ready)
    if os.path.exists(started) or not works(python, "import pip"):
        base = find_python()
        if not works(base, "import venv, ensurepip"):
            stop(base + " lacks the venv module: " + APT)
        print("fastpose: making " + folder + " with " + base, flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        if subprocess.run([base, "-m", "venv", folder]).returncode != 0:
            stop("python -m venv failed, see above; on Debian and Ubuntu: " + APT)
    open(started, "w").close()
    print("fastpose: installing what " + requirements + " pins", flush=True)
    install = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    if subprocess.run([*install, "-r", requirements]).returncode != 0:
        stop("pip could not install " + requirements + ", see above; make again retries")
    os.remove(started)
    open(ready, "w").close()


def main() -> None:
    folder, requirements = sys.argv[1:]
    with open(requirements) as lock:  # two makes at once: the second waits for the first
        fcntl.flock(lock, fcntl.LOCK_EX)
        make(folder, requirements)


if __name__ == "__main__":
    main()
