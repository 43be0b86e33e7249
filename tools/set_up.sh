#!/bin/sh
# set_up.sh VENV: makes the virtual environment with the pinned versions and, where the
# machine lets us, the system packages that Python's own installer cannot bring: venv and
# Tk for a distribution's Python, the display libraries of OpenCV, a virtual display.
set -eu
venv=$1
python=${PYTHON:-python3}

say() { printf 'set-up: %s\n' "$*" >&2; }

# Installs Debian packages; if it may not, says so in one line and goes on ($1 = what for).
system_packages() {
    reason=$1
    shift
    root=
    [ "$(id -u)" = 0 ] || root='sudo -n'
    if command -v apt-get >/dev/null && $root true 2>/dev/null; then
        say "installing $* ($reason)"
        $root apt-get update -qq >/dev/null &&
            DEBIAN_FRONTEND=noninteractive $root apt-get install -y -qq \
                --no-install-recommends "$@" >/dev/null && return 0
    fi
    say "please install what Debian calls '$*' ($reason); this script may not do it here"
    return 1
}

"$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null || {
    say "ETHOS needs Python 3.11 to 3.13; '$python' is $("$python" -V 2>&1). Name another: make PYTHON=python3.12"
    exit 1
}
"$python" -c 'import ensurepip' 2>/dev/null ||
    system_packages 'virtual environments' python3-venv || exit 1
"$python" -c 'import tkinter' 2>/dev/null ||
    system_packages 'the window' python3-tk || true
command -v Xvfb >/dev/null ||
    system_packages 'a virtual display for the window tests' xvfb || true

[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
say "installing the pinned packages into $venv (about 3 GB on disk, some minutes)"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    --constraint constraints.txt --editable '.[test]'

"$venv/bin/python" -c 'import cv2' 2>/dev/null ||
    system_packages "OpenCV's libraries" libgl1 libglib2.0-0 || exit 1
say "ready: $venv"
