"""What the tests need from npm: installed once per lock file into a cache, never into the project."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path


def installed(folder: Path) -> Path | None:
    """Where the packages of ``folder``'s lock file are; None without Node.js and npm. Raises AssertionError if npm
    cannot install them."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        return None
    digest = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()[:16]
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    directory = caches / "signalbox-tests" / digest
    if not (directory / "node_modules" / ".package-lock.json").exists():
        fresh = directory.parent / f"{digest}.{os.getpid()}"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(folder / name, fresh)
        command = [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
        done = subprocess.run(command, cwd=fresh, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, f"npm could not install {folder.name}: {done.stderr}"
        shutil.rmtree(directory, ignore_errors=True)
        fresh.rename(directory)
    return directory
