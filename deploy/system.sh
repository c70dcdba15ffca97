#!/usr/bin/env bash
# Brings what only the system can bring: Python with venv, Java, Maven and setpriv. As root on
# Debian or Ubuntu it installs what is missing, elsewhere it names it. Prints the Python to use.
set -euo pipefail

java_suffices() {
    local version
    version=$(java -version 2>&1 | sed -nE '1s/.*"([0-9]+).*/\1/p')
    [[ ${version:-0} -ge 17 ]]
}

java_package() {
    local known
    known=$(apt-cache --names-only search '^openjdk-(17|21|25)-jre-headless$' 2>/dev/null |
        sort | head -n 1 | cut -d ' ' -f 1)
    echo "${known:-openjdk-17-jre-headless}"
}

find_python() {
    local python
    for python in python3 python3.11 python3.12 python3.13; do
        if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$python"
            return
        fi
    done
}

missing_packages() {
    local python
    python=$(find_python)
    "${python:-python3}" -c 'import ensurepip, venv' 2>/dev/null || echo "${python:-python3}-venv"
    [[ $python ]] || echo python3
    java_suffices || java_package
    command -v mvn >/dev/null || echo maven
    command -v setpriv >/dev/null || echo util-linux
}

missing=$(missing_packages)
if [[ $missing && $EUID -eq 0 ]] && command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq >&2
    missing_packages | xargs apt-get install -y -qq --no-install-recommends >&2
    missing=$(missing_packages)
fi
if [[ $missing ]]; then
    echo "Likewave needs Python 3.11 or later, Java 17 or later, Maven and setpriv." >&2
    echo "Missing here: ${missing//$'\n'/ }. On Debian or Ubuntu, as root:" >&2
    echo "    apt-get install --no-install-recommends ${missing//$'\n'/ }" >&2
    exit 1
fi
find_python
