"""Make the virtual environment, as far as it is not there: python3 requirements/set_up.py [KIND of WANTED]

Run by the system's Python, whichever that is: standard library only, and it parses on any Python 3, to say
which one is needed.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time

NEEDED = (3, 11)
WANTED = {
    "": ["runtime"],
    "gateway": ["runtime", "gateway"],
    "dev": ["runtime", "gateway", "dev"],
    "bench": ["runtime", "gateway", "dev", "bench"],
    "peers": ["runtime", "gateway", "dev", "peers"],
}
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def main(arguments: list) -> None:
    problem = what_is_missing(tuple(sys.version_info[:2]))
    if problem:
        sys.exit("error: " + problem)
    here = os.open(os.path.join(ROOT, "requirements"), os.O_RDONLY)
    fcntl.flock(here, fcntl.LOCK_EX)  # two `make` at once: the second waits and finds nothing to do
    told = set_up(ROOT, WANTED[arguments[0] if arguments else ""])
    if told:
        print(told)


def what_is_missing(version: tuple) -> str:
    if version < NEEDED:
        found = "Python %d.%d found, %d.%d or later needed" % (version + NEEDED)
        newer = [name for name in ("python3.%d" % n for n in range(20, NEEDED[1] - 1, -1)) if shutil.which(name)]
        return found + ("\ntry: PYTHON=%s make run" % newer[0] if newer else "")
    try:
        import ensurepip  # noqa: F401  Debian puts these two into a package of their own
        import venv  # noqa: F401
    except ImportError:
        return "this Python has no venv; on Debian: apt install python3-venv"
    return ""


def set_up(root: str, wanted: list) -> str:
    """What was done, with times; empty if there was nothing to do."""
    environment = os.path.join(root, ".venv")
    told, began = [], time.time()
    # The programs of an environment hold its path: a checkout that was moved needs a new one.
    if read(os.path.join(environment, "made-for")) != root or not works(environment):
        make_environment(root, environment)
        told.append("First time here: virtual environment %.0f s" % (time.time() - began))
    began = time.time()
    files = [os.path.join(root, "requirements", name + ".txt") for name in wanted]
    if any(read(stamp(environment, file)) != fingerprint(file) for file in files):
        install(environment, files)
        for file in files:
            write(stamp(environment, file), fingerprint(file))
        told.append("packages (pinned, with hashes) %.0f s" % (time.time() - began))
    return ", ".join(told)


def works(environment: str) -> bool:
    return os.path.exists(os.path.join(environment, "bin", "python"))  # not if its Python was uninstalled


def make_environment(root: str, environment: str) -> None:
    import venv

    # One without a mark was made by hand and stays.
    if read(os.path.join(environment, "made-for")) or not works(environment):
        venv.create(environment, clear=True, with_pip=True, symlinks=True)
    # What an editable install would do, without a build: the packages are found, and the command is there.
    python = os.path.join(environment, "bin", "python")
    site = subprocess.check_output([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"])
    write(os.path.join(site.decode().strip(), "tenantry.pth"), root + "\n")
    command = os.path.join(environment, "bin", "tenantry")
    write(command, '#!/bin/sh\nexec "$(dirname "$0")/python" -P -m tenantry "$@"\n')
    os.chmod(command, 0o755)  # noqa: S103  as the programs beside it
    write(os.path.join(environment, "made-for"), root)


def install(environment: str, files: list) -> None:
    command = [os.path.join(environment, "bin", "python"), "-m", "pip", "install"]
    command += ["--quiet", "--disable-pip-version-check", "--no-input"]
    command += ["--require-hashes", "--only-binary", ":all:"]
    for file in files:
        command += ["-r", file]
    if subprocess.call(command) != 0:
        sys.exit("error: the packages could not be installed; pip's message is above")


def fingerprint(file: str) -> str:
    with open(file, "rb") as content:
        return hashlib.sha256(content.read()).hexdigest()


def stamp(environment: str, file: str) -> str:
    return os.path.join(environment, "installed-" + os.path.basename(file))


def read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return ""


def write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


if __name__ == "__main__":
    main(sys.argv[1:])
