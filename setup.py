"""Drives CMake for the native parts. All other metadata is in pyproject.toml.

torch is deliberately not a build requirement: a build environment of its own would download a
second torch only for its headers. They are taken from the environment that is being installed
into, without importing torch. Environment variables:

    FASTPOSE_TORCH_DIR    folder of the torch package to build against
    FASTPOSE_CUDA         auto (default: when nvcc is found), on, off
    FASTPOSE_CUDA_ARCHS   compute capabilities, default those of "80;90;120" that nvcc knows
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import re
import shutil
import site
import subprocess
import sysconfig
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build import build
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
OLDEST_TORCH = (2, 11)
DEFAULT_CUDA_ARCHS = ("80", "90", "120")


def stop(problem: str, looked: str, cure: str) -> SystemExit:
    """The three lines that a user sees instead of a traceback."""
    return SystemExit(f"fastpose: {problem}\n  looked at: {looked}\n  cure: {cure}")


def torch_candidates() -> list[tuple[str, Path | None]]:
    """(how it was found, folder of the torch package) in the order of preference."""
    named = os.environ.get("FASTPOSE_TORCH_DIR")
    if named:  # an explicit choice is never silently replaced by another torch
        return [("FASTPOSE_TORCH_DIR", Path(named))]
    spec = importlib.util.find_spec("torch")
    locations = list(spec.submodule_search_locations or []) if spec else []
    found: list[tuple[str, Path | None]] = [
        ("importable torch", Path(locations[0]) if locations else None)
    ]
    # Under build isolation torch is not importable, but the interpreter is still the one of the
    # environment that pip installs into.
    folders = [sysconfig.get_path("platlib"), sysconfig.get_path("purelib")]
    folders += [*site.getsitepackages(), site.getusersitepackages()]
    found += [(folder, Path(folder) / "torch") for folder in dict.fromkeys(folders)]
    return found


def torch_version(folder: Path) -> str:
    """The version that torch/version.py states, or an empty string."""
    try:
        text = (folder / "version.py").read_text()
    except OSError:
        return ""
    match = re.search(r"__version__ = '([^']+)'", text)
    return match[1] if match else ""


def find_torch() -> tuple[Path, str]:
    """The folder and version of the torch to build against; stops with a message without one."""
    candidates = torch_candidates()
    looked = ", ".join(f"{how}={folder}" if how.isupper() else how for how, folder in candidates)
    for _, folder in candidates:
        if folder is None or not (folder / "include/torch/csrc/stable/library.h").is_file():
            continue
        version = torch_version(folder)
        numbers = re.match(r"(\d+)\.(\d+)", version)
        if numbers is None or (int(numbers[1]), int(numbers[2])) < OLDEST_TORCH:
            raise stop(
                f"torch {version or 'of unknown version'} is too old, 2.11 is the oldest",
                str(folder),
                'pip install --upgrade "torch>=2.11"',
            )
        return folder.resolve(), version
    raise stop(
        "torch was not found, and the native operators compile against its headers",
        looked,
        'pip install "torch>=2.11" first, or set FASTPOSE_TORCH_DIR to the folder of the package',
    )


def find_nvcc() -> str | None:
    """nvcc as CMake would look for it: CUDACXX, PATH, CUDA_HOME, the usual folder."""
    places = [os.environ.get("CUDACXX"), shutil.which("nvcc")]
    homes = [os.environ.get("CUDA_HOME"), os.environ.get("CUDA_PATH"), "/usr/local/cuda"]
    places += [str(Path(home) / "bin/nvcc") for home in homes if home]
    return next((place for place in places if place and shutil.which(place)), None)


def cuda_archs(nvcc: str) -> str:
    """FASTPOSE_CUDA_ARCHS, or those of the default list that this nvcc can compile for."""
    named = re.findall(r"\w+", os.environ.get("FASTPOSE_CUDA_ARCHS", ""))
    if named:
        return ";".join(named)
    listed = subprocess.run([nvcc, "--list-gpu-arch"], capture_output=True, text=True, check=True)
    known = set(re.findall(r"compute_(\d+)", listed.stdout))
    return ";".join(arch for arch in DEFAULT_CUDA_ARCHS if arch in known)


def cuda_options() -> tuple[list[str], dict[str, str]]:
    """CMake options and variables for the CUDA library; no variables when it is not built."""
    choice = os.environ.get("FASTPOSE_CUDA", "auto").lower()
    if choice not in ("on", "off", "auto"):
        raise SystemExit(f"fastpose: FASTPOSE_CUDA is '{choice}'; use on, off or auto")
    nvcc = None if choice == "off" else find_nvcc()
    if nvcc is None:
        if choice == "on":
            raise stop(
                "FASTPOSE_CUDA=on, but there is no nvcc",
                "CUDACXX, PATH, CUDA_HOME, CUDA_PATH, /usr/local/cuda",
                "install the CUDA toolkit or set CUDA_HOME; FASTPOSE_CUDA=off builds without",
            )
        return ["-DFASTPOSE_WITH_CUDA=OFF"], {}
    options = ["-DFASTPOSE_WITH_CUDA=ON", f"-DFASTPOSE_CUDA_ARCHS={cuda_archs(nvcc)}"]
    return options, {"CUDACXX": nvcc}


def tool(name: str) -> str:
    """cmake or ninja: the pip package of this interpreter first, then PATH."""
    spec = importlib.util.find_spec(name)
    if spec is not None:
        module = importlib.import_module(name)
        folder = getattr(module, "CMAKE_BIN_DIR", None) or getattr(module, "BIN_DIR", None)
        if folder and (Path(folder) / name).is_file():
            return str(Path(folder) / name)
    found = shutil.which(name)
    if found is None:
        raise stop(f"{name} was not found", "the pip package, PATH", f"pip install {name}")
    return found


def check_compiler() -> None:
    """What pip cannot install is asked for with the command that installs it."""
    missing = []
    if not (shutil.which(os.environ.get("CXX", "c++").split()[0]) or shutil.which("g++")):
        missing.append("g++")
    if not (Path(sysconfig.get_path("include")) / "Python.h").is_file():
        missing.append("python3-dev")
    if missing:
        raise stop(
            f"{' and '.join(missing)} missing, the native operators cannot be compiled",
            f"PATH, {sysconfig.get_path('include')}",
            f"apt-get install {' '.join(missing)}   (or your system's packages for them)",
        )


def git_hash() -> str:
    """The commit being built, or an empty string outside of a git checkout."""
    command = ["git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


class CMakeBuild(build_ext):
    """Builds all native libraries with one CMake call.

    setuptools believes that it builds one extension, ``fastpose._C``; the operator libraries are
    written beside it. In place they go into ``fastpose/`` and CMake's folder is kept, so that a
    second build compiles only what changed.
    """

    def run(self) -> None:
        self.inplace = self.inplace or self.editable_mode
        check_compiler()
        torch_dir, version = find_torch()
        import pybind11

        module = Path(self.get_ext_fullpath("fastpose._C")).resolve()
        folder = ROOT / "build/cmake" if self.inplace else Path(self.build_temp).resolve()
        ninja = tool("ninja")
        cuda, variables = cuda_options()
        options = [
            "-G=Ninja",
            "--log-level=NOTICE",
            f"-DCMAKE_MAKE_PROGRAM={ninja}",
            f"-DFASTPOSE_VERSION={self.distribution.get_version()}",
            f"-DFASTPOSE_GIT_HASH={'' if self.inplace else git_hash()}",
            f"-DFASTPOSE_TORCH_DIR={torch_dir}",
            f"-DFASTPOSE_TORCH_BUILT_WITH={version}",
            f"-DFASTPOSE_OUTPUT_DIR={module.parent}",
            f"-DFASTPOSE_PYTHON_INCLUDE={sysconfig.get_path('include')}",
            f"-DFASTPOSE_PYBIND11_INCLUDE={pybind11.get_include()}",
            f"-DFASTPOSE_MODULE_SUFFIX={sysconfig.get_config_var('EXT_SUFFIX')}",
            *cuda,
        ]
        # A cache that names a build environment which pip has since removed cannot be reused.
        cache = folder / "CMakeCache.txt"
        stale = not self.inplace or (cache.exists() and ninja not in cache.read_text())
        folder.parent.mkdir(parents=True, exist_ok=True)
        with open(folder.with_suffix(".lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two builds at once would spoil ninja's records
            if stale:
                shutil.rmtree(folder, ignore_errors=True)
            if not variables:  # an earlier build in place may have left its CUDA library
                (module.parent / "libfastpose_cuda.so").unlink(missing_ok=True)
            self.call_cmake(["-S", str(ROOT), "-B", str(folder), *options], variables)
            self.call_cmake(["--build", str(folder)], {})

    @staticmethod
    def call_cmake(arguments: list[str], variables: dict[str, str]) -> None:
        """Run CMake; its own messages say what failed."""
        command = [tool("cmake"), *arguments]
        if subprocess.run(command, env={**os.environ, **variables}).returncode != 0:
            raise SystemExit("fastpose: the native build failed, see above")

    def get_outputs(self) -> list[str]:
        """All libraries, so that wheels and uninstall know them."""
        module = Path(self.get_ext_fullpath("fastpose._C"))
        return [str(module), *map(str, sorted(module.parent.glob("libfastpose_*.so")))]


class CleanBuild(build):
    """Starts from an empty folder: a wheel never holds a module that the sources no longer have."""

    def run(self) -> None:
        shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()


setup(
    ext_modules=[Extension("fastpose._C", sources=[])],
    cmdclass={"build_ext": CMakeBuild, "build": CleanBuild},
    options={"build": {"build_base": "build/wheel"}},
)
