#!/usr/bin/env bash
# Sets a clone up: .venv with the pinned packages, this project, and the broker's jars. Each step
# leaves a stamp of all that it depends on, and is skipped as long as that stays the same.
set -euo pipefail
cd "$(dirname "$0")/.."

VENV=.venv
JARS=$VENV/share/kafka
export PIP_DISABLE_PIP_VERSION_CHECK=1

# step NAME FILE...: run the function NAME, unless it ran with the same files in the same place
step() {
    local name=$1 stamp=$VENV/$1.stamp current
    shift
    current=$(cat deploy/setup.sh "$@" | sha256sum)
    current+=$PWD
    if [[ $(cat "$stamp" 2>/dev/null) == "$current" ]]; then
        return
    fi
    rm -f "$stamp"
    "$name"
    echo "$current" >"$stamp"
}

packages() {
    local python
    python=$(bash deploy/system.sh)
    echo "setup: packages into $VENV" >&2
    "$python" -m venv --clear "$VENV"
    "$VENV/bin/python" -m pip install -q --require-hashes -r requirements-dev.lock
    # The pure-Python iterator acknowledges events that it skipped.
    "$VENV/bin/python" -c 'from faust.streams import _CStreamIterator as fast; assert fast' ||
        { echo "setup: faust-streaming came without its compiled stream iterator" >&2; exit 1; }
}

project() {
    "$VENV/bin/python" -m pip install -q --no-deps --no-build-isolation -e .
}

jars() {
    bash deploy/system.sh >/dev/null
    echo "setup: broker's jars into $JARS" >&2
    rm -rf "$JARS"
    mvn -q -B -Dstyle.color=never --strict-checksums -f deploy/broker-pom.xml dependency:copy-dependencies \
        -DoutputDirectory="$PWD/$JARS"
}

step packages requirements-dev.lock
step project pyproject.toml
step jars deploy/broker-pom.xml
