#!/bin/sh
# A Python for ARM in a folder, with zeroloop, to be run under qemu-user on Debian: sh tools/arm64.sh FOLDER
# Prints the command that runs it. Needs qemu-user and g++-aarch64-linux-gnu; PYTHON has what builds the core (`make core`).
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$1"
to=$(cd "$1" && pwd)
python=${PYTHON:-$here/.venv/bin/python}
root=$to/root
number=$($python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
soabi=cpython-$(echo "$number" | tr -d .)-aarch64-linux-gnu

if ! test -x "$root/usr/bin/python$number"; then  # Debian's packages, unpacked beside the machine's own
    mkdir -p "$root" "$to/apt/lists/partial" "$to/apt/cache/archives/partial" "$to/packages"
    touch "$to/apt/status"
    apt="apt-get -qq -o Dir::State=$to/apt -o Dir::State::status=$to/apt/status -o Dir::Cache=$to/apt/cache"
    apt="$apt -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o APT::Sandbox::User=root"
    $apt update
    (cd "$to/packages" && $apt download "python$number-minimal" "libpython$number-minimal" "libpython$number-stdlib" \
        "libpython$number-dev" libc6 libstdc++6 libgcc-s1 libgomp1 zlib1g libexpat1 libssl3 libffi8 libbz2-1.0 liblzma5 \
        libsqlite3-0 libuuid1 libcrypt1)
    for package in "$to"/packages/*.deb; do dpkg-deb -x "$package" "$root"; done
fi
if ! test -d "$to/site"; then
    needed=$($python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"])')
    $python -m pip install --quiet --target "$to/site" --only-binary :all: --python-version "$number" \
        --platform manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64 --platform manylinux_2_17_aarch64 \
        --platform manylinux2014_aarch64 $needed
fi
rm -rf "$to/zeroloop"
mkdir "$to/zeroloop"
cp -r "$here/src/zeroloop" "$to/zeroloop"
rm -f "$to"/zeroloop/zeroloop/core.*.so
$python -c 'import sys; from importlib.metadata import distribution as d; print(d("zeroloop")._path)' |
    xargs -I{} cp -r {} "$to/zeroloop"
CXX=aarch64-linux-gnu-g++ CMAKE_ARGS="-DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 -DSKBUILD_SOABI=$soabi \
    -DPython_INCLUDE_DIR=$root/usr/include/python$number -DCMAKE_CXX_FLAGS=-I$root/usr/include" \
    $python "$here/tools/backend.py" "$to/zeroloop/zeroloop"
echo "qemu-aarch64 -L $root -E PYTHONPATH=$to/zeroloop:$to/site $root/usr/bin/python$number -W ignore"
