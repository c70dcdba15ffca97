"""What may be wrong on this host: the policy file, keys and secret of the API, the local stack."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from models.errors import LikewaveError, StackError
from models.finding import Finding, fail, failed, ok, warn
from streams.keys import read_keys
from streams.local import find_java
from streams.policy_file import read_policies
from streams.settings import DATA_DIR, running_stack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.settings import Settings

OLDEST_JAVA = 17
LITTLE_DISK, NO_DISK = 2**30, 2**27  # bytes


def examine(settings: Settings) -> Iterator[Finding]:
    """Check what is on this host; Java and disk only where a local stack is or would be used."""
    if settings.policy_file is not None:
        yield _policy_file(settings.policy_file)
    yield _api(settings)
    if running_stack() or "kafka" not in settings.model_fields_set:
        yield _java()
        yield _disk()


def _policy_file(path: Path) -> Finding:
    try:
        read_policies(path)
    except LikewaveError as error:
        return failed("policy file", str(error))
    return ok("policy file", f"{path} is valid")


def _api(settings: Settings) -> Finding:
    if settings.api_keys is None:
        remedy = "set LIKEWAVE_API_KEYS where an API is to run (docs/api.md)"
        return warn("API", "it has no keys to verify tokens with", remedy)
    try:
        read_keys(settings.api_keys)
    except LikewaveError as error:
        return failed("API", str(error))
    if settings.api_secret is None:
        remedy = "set LIKEWAVE_API_SECRET, the same for all processes of the API"
        return warn("API", "it has no secret to sign cursors with", remedy)
    return ok("API", "keys and secret are there")


def _java() -> Finding:
    try:
        java = find_java()
    except StackError as error:
        return failed("Java", str(error))
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) < OLDEST_JAVA:
        first = (said.splitlines() or ["nothing"])[0]
        return fail("Java", f"{java} says {first}", f"install Java {OLDEST_JAVA} or set JAVA_HOME")
    return ok("Java", f"{version[1]}, {java}")


def _disk() -> Finding:
    folder = DATA_DIR if DATA_DIR.exists() else Path()
    free = shutil.disk_usage(folder).free
    found = f"{free / 2**30:,.1f} GB free for {DATA_DIR}/"
    if free >= LITTLE_DISK:
        return ok("disk", found)
    remedy = f"free some, or delete {DATA_DIR}/ where its events are not needed"
    return (warn if free >= NO_DISK else fail)("disk", found, remedy)
