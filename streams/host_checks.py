"""What may be wrong on this host: the policy file, the API set up on it, the local stack."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import asdict
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

from models.errors import LikewaveError, StackError
from models.finding import Finding, fail, failed, ok, warn
from streams.keys import read_keys
from streams.local import find_java
from streams.policy_file import read_policies
from streams.settings import DATA_DIR, running_stack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from models.policy import Policy
    from streams.settings import Settings

OLDEST_JAVA = 17
PATIENCE_S = 3.0  # for the API, which takes milliseconds
DIRECT = build_opener(ProxyHandler({}))
LITTLE_DISK, NO_DISK = 2**30, 2**27  # bytes


def examine(settings: Settings) -> Iterator[Finding]:
    """Check what is on this host; Java and disk only where a local stack is or would be used."""
    if settings.policy_file is not None:
        yield _policy_file(settings.policy_file, settings.policy)
    yield _api(settings)
    if running_stack() or "kafka" not in settings.model_fields_set:
        yield _java()
        yield _disk()


def _policy_file(path: Path, policy: Policy) -> Finding:
    """Hold the file against `policy`: a running stack goes on with what it began with."""
    try:
        said = asdict(read_policies(path).feeds).items() - asdict(policy).items()
    except LikewaveError as error:
        return failed("policy file", str(error))
    if said:
        other = (f"{name}={to}, feeds are made with {getattr(policy, name)}" for name, to in said)
        remedy = "`likewave rebuild` changes them, or set the file back"
        return warn("policy file", f"{path} says {'; '.join(sorted(other))}", remedy)
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
    return _answer(settings.api_url)


def _answer(url: str) -> Finding:
    """Ask the API whether it lives: one that is frozen takes a connection, and is silent."""
    where = f"{url}/health"
    try:
        with DIRECT.open(where, timeout=PATIENCE_S):
            return ok("API", f"keys and secret are there, and it answers at {url}")
    except HTTPError as error:
        found = f"{where} answers {error.code}"
        return fail("API", found, "see the log of the API, and start it again")
    except URLError as error:
        remedy = "start it (likewave api), or set LIKEWAVE_API_URL to where it is"
        return warn("API", f"it cannot be reached at {url} ({error.reason})", remedy)
    except (OSError, HTTPException):
        port = urlsplit(url).port or 443
        remedy = f"ss -ltnp 'sport = :{port}' there shows its pid: kill -9 it, and start it again"
        return fail("API", f"it takes connections at {url} and does not answer: frozen", remedy)


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
