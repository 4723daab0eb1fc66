#!/usr/bin/env bash
# The laws of the kernel on 64-bit ARM (NEON), under QEMU: cross-compiled on a Debian x86-64 machine, run with an ARM Python.
# Needs root once, for the packages. Some minutes; the result is not part of `make test`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
python=$PWD/.venv/bin/python
work=${1:-$PWD/build/neon}
mkdir -p "$work"/{debs,root,wheels,site,objects,mixtura}

dpkg --add-architecture arm64
apt-get update --quiet=2
apt-get install --quiet=2 --yes qemu-user-static g++-aarch64-linux-gnu unzip
(cd "$work/debs" && apt-get download --quiet=2 {python3.11-minimal,libpython3.11-{minimal,stdlib,dev},libc6,libgcc-s1,libstdc++6,zlib1g,libexpat1,libssl3,libffi8,libbz2-1.0,liblzma5,libsqlite3-0,libuuid1,libdb5.3,libcrypt1}:arm64)
for package in "$work"/debs/*.deb; do dpkg -x "$package" "$work/root"; done
"$python" -m pip download --quiet --no-deps --dest "$work/wheels" --python-version 3.11 --only-binary=:all: \
  --platform manylinux2014_aarch64 --platform manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64 \
  numpy scipy scikit-learn joblib threadpoolctl narwhals cloudpickle pytest hypothesis iniconfig pluggy packaging \
  sortedcontainers pygments mpmath
for wheel in "$work"/wheels/*.whl; do unzip -qo "$wheel" -d "$work/site"; done

"$python" -m pip install --quiet --upgrade --target "$work/build" nanobind
nanobind=$(PYTHONPATH="$work/build" "$python" -m nanobind --include_dir)
compile=(aarch64-linux-gnu-g++ -std=c++20 -O3 -fPIC -fvisibility=hidden -DNDEBUG -DMIXTURA_NEON
  -I "$work/root/usr/include" -I "$work/root/usr/include/python3.11" -I "$nanobind" -I "$nanobind/../ext/robin_map/include")
for file in src/native/*.cpp; do
  name=$(basename "$file" .cpp)
  flags=(-ffp-contract=off)
  case $name in kernel | missing | distances)  # compiled once per instruction-set level; all flags as in CMakeLists.txt
    flags=(-ffp-contract=fast -fno-math-errno -fno-trapping-math -DMIXTURA_LEVEL=neon '-DMIXTURA_LEVEL_NAME="neon"') ;;
  esac
  if [ "$name" = distances ]; then flags+=(-ffp-contract=off); fi
  "${compile[@]}" "${flags[@]}" -c "$file" -o "$work/objects/$name.o"
done
"${compile[@]}" -fno-strict-aliasing -c "$nanobind/../src/nb_combined.cpp" -o "$work/objects/nanobind.o"
cp -r src/mixtura "$work"
rm -f "$work"/mixtura/_native*.so
aarch64-linux-gnu-g++ -shared -o "$work/mixtura/_native.abi3.so" "$work"/objects/*.o -Wl,--unresolved-symbols=ignore-all

laws=$(printf 'tests/laws/test_%s.py ' engines_agree arithmetics_agree threads crew climb climb_stacks climb_resumes \
  streamed_climbs seeding blocks_add missing_values)
# shellcheck disable=SC2086
exec qemu-aarch64-static -L "$work/root" -E PYTHONPATH="$work:$work/site" -E MIXTURA_TEST_SEED="${SEED:-20261}" \
  "$work/root/usr/bin/python3.11" -m pytest -q -p no:cacheprovider -k native $laws
