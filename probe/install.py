"""Installs a recipe's server next to the app that is in this image, and changes nothing of what is there.

The app's own interpreter runs it: `python install.py RECIPE`. Packages come from the recipe's lock, with
their hashes; what the image has already stays at its version. With --resolve, where the lock does not go
with what is there, the newest versions that do are taken instead. Pure standard library, Python 3.9.
"""

from __future__ import annotations

import argparse
import compileall
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from importlib import metadata
from pathlib import Path
from py_compile import PycInvalidationMode

HOME = Path(__file__).resolve().parent
PIP = HOME / "pip"
"""A pip of our own: theirs may be missing, or too old to see a conflict."""
RECIPES = HOME / "recipes"
WHEELS = HOME / "wheels"
PROGRAMS = HOME / "bin"
PROBE = HOME / "harness_probe"
OLDEST = (3, 9)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def normalized(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements(text):
    """The requirements of a file by name, each with its options on one line."""
    joined = text.replace("\\\n", " ")
    lines = (re.sub(r"(^|\s)#.*", "", line).strip() for line in joined.splitlines())
    return [(normalized(NAME.match(line).group()), line) for line in lines if NAME.match(line)]


def missing(lock, installed):
    """Those lines of a lock that name nothing installed."""
    return [line for name, line in requirements(lock) if name not in installed]


def constraints(installed):
    return [f"{name}=={version}" for name, version in sorted(installed.items())]


def installed_here():
    """Version by name, the first on the path where there are several."""
    found = {}
    for distribution in metadata.distributions():
        name = distribution.metadata["Name"]
        if name:
            found.setdefault(normalized(name), distribution.version)
    return found


def pip(*arguments):
    """Run our pip for this interpreter; whether it succeeded. Its output is the build's."""
    sys.stdout.flush()
    # Also in a Debian whose Python is managed by apt: this image is a copy that nothing else lives in.
    options = {"PIP_BREAK_SYSTEM_PACKAGES": "1", "PIP_ROOT_USER_ACTION": "ignore"}
    path = os.pathsep.join(filter(None, (str(PIP), os.environ.get("PYTHONPATH"))))
    env = {**os.environ, **options, "PYTHONPATH": path, "PIP_NO_CACHE_DIR": "1"}
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    return subprocess.run(command, env=env, stdin=subprocess.DEVNULL).returncode == 0


def written(name, lines):
    path = HOME / name
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)


def install(recipe, resolve):
    """Whether the recipe's requirements are met now, and what was here is as it was."""
    asked = str(RECIPES / f"{recipe}.in")
    before = installed_here()
    pinned = written("installed.txt", constraints(before))
    for wheel in sorted(WHEELS.glob("*.whl")):
        if normalized(wheel.name.partition("-")[0]) not in before:
            pip("install", "--no-index", "--no-deps", str(wheel))
    wanted = missing((RECIPES / f"{recipe}.txt").read_text(encoding="utf-8"), installed_here())
    locked = ("--require-hashes", "--only-binary", ":all:", "--requirement", written("missing.txt", wanted))
    # The second asks nothing of an index: whether what is there now is what the recipe needs.
    if (not wanted or pip("install", "--constraint", pinned, *locked)) and pip(
        "install", "--no-index", "--constraint", pinned, "--requirement", asked
    ):
        return True
    if not resolve:
        return False
    print("The locked versions do not go with what is installed here: looking for versions that do.")
    return pip("install", "--prefer-binary", "--constraint", pinned, "--requirement", asked)


def build_wheels(recipe, packages):
    """Whether wheels of these packages of a recipe's lock, published as source only, were made."""
    get_compiler()
    WHEELS.mkdir(exist_ok=True)
    lock = (RECIPES / f"{recipe}.txt").read_text(encoding="utf-8")
    lines = [line for name, line in requirements(lock) if name in packages]
    source = written("source.txt", lines)
    return pip("wheel", "--no-deps", "--require-hashes", "--wheel-dir", str(WHEELS), "--requirement", source)


def get_compiler():
    """Install a C compiler, and Python's headers, where the image's distribution has them to give."""
    headers = (Path(sysconfig.get_path("include")) / "Python.h").exists()
    if headers and shutil.which("gcc"):
        return
    if shutil.which("apt-get"):
        packages = ["gcc", "libc6-dev", *([] if headers else ["python3-dev"])]
        subprocess.run(["apt-get", "update", "-q"])
        subprocess.run(["apt-get", "install", "-q", "-y", "--no-install-recommends", *packages])
    elif shutil.which("apk"):
        subprocess.run(["apk", "add", "gcc", "musl-dev", *([] if headers else ["python3-dev"])])


def link_programs(recipe):
    """The commands of the recipe's packages in one directory: their own may not be on the PATH."""
    PROGRAMS.mkdir(exist_ok=True)
    for name, _ in requirements((RECIPES / f"{recipe}.in").read_text(encoding="utf-8")):
        distribution = metadata.distribution(name)
        scripts = {point.name for point in distribution.entry_points if point.group == "console_scripts"}
        for file in distribution.files or ():
            link = PROGRAMS / file.name
            if file.name in scripts and not link.exists():
                link.symlink_to(Path(distribution.locate_file(file)).resolve())


def make_readable():
    """The server runs as another user than the one who copied these files."""
    for directory, _, files in os.walk(HOME):
        Path(directory).chmod(0o755)
        for file in files:
            path = Path(directory, file)
            if not path.is_symlink():
                path.chmod(0o644)


def main():
    if sys.version_info < OLDEST:
        return f"{sys.executable} is Python {sys.version.split()[0]}: wrapped recipes need 3.9 or newer."
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe")
    parser.add_argument("--resolve", action="store_true")
    parser.add_argument("--wheels", nargs="+", metavar="PACKAGE")
    arguments = parser.parse_args()
    if arguments.wheels:
        return 0 if build_wheels(arguments.recipe, arguments.wheels) else 1
    print(f"installing {arguments.recipe} with {sys.executable}")
    if not install(arguments.recipe, arguments.resolve):
        return 1
    link_programs(arguments.recipe)
    if PROBE.is_dir():
        # Trusted without a look at time stamps, which copying may change.
        compileall.compile_dir(PROBE, quiet=1, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)
    make_readable()
    return 0


if __name__ == "__main__":
    sys.exit(main())
