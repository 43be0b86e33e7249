#!/bin/sh
# set_up.sh VENV: creates the virtual environment with the pinned versions. Where it has
# the permission, it also installs the system packages that pip cannot install: venv and
# Tk for a distribution's Python, OpenCV's libraries, and a virtual display.
set -eu
venv=$1
python=${PYTHON:-python3}

say() { printf 'set-up: %s\n' "$*" >&2; }

# Installs Debian packages. $1 is their purpose. Without permission, it prints which
# packages are needed and returns 1.
system_packages() {
    purpose=$1
    shift
    root=
    [ "$(id -u)" = 0 ] || root='sudo -n'
    if command -v apt-get >/dev/null && $root true 2>/dev/null; then
        say "installing $* ($purpose)"
        $root apt-get update -qq >/dev/null &&
            DEBIAN_FRONTEND=noninteractive $root apt-get install -y -qq \
                --no-install-recommends "$@" >/dev/null && return 0
    fi
    say "please install the packages that Debian calls '$*' ($purpose)"
    return 1
}

"$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null || {
    say "ETHOS needs Python 3.11 to 3.13; '$python' is $("$python" -V 2>&1). Choose another one: make PYTHON=python3.12"
    exit 1
}
"$python" -c 'import ensurepip' 2>/dev/null ||
    system_packages 'virtual environments' python3-venv || exit 1
"$python" -c 'import tkinter' 2>/dev/null ||
    system_packages 'the window' python3-tk || true
command -v Xvfb >/dev/null ||
    system_packages 'a virtual display for the tests of the window' xvfb || true

[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
say "installing the pinned packages into $venv (about 3.5 GB, some minutes)"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    --constraint constraints.txt --editable '.[test]'

"$venv/bin/python" -c 'import cv2' 2>/dev/null ||
    system_packages 'libraries of OpenCV' libgl1 libglib2.0-0 || exit 1
say "ready: $venv"
