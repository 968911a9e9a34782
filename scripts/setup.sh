#!/usr/bin/env bash
# Gets this machine ready to build azulejo; with --tests also to test it. What is already there is left alone.
#
#   scripts/setup.sh [--tests]
#
# Needs Node 20+, npm and rustup. As root on Debian it installs whatever else is missing; elsewhere it names that and
# stops. Nothing outside rustup's and Debian's own places is touched but .tools/ and node_modules/ of this folder.
#
#   AZULEJO_TOOLCHAIN=rustup|debian   which compiler makes the wasm; without it rustup's, and Debian's where the Rust
#                                     distribution server does not answer
#   CHROMIUM=PATH                     the browser of the tests
set -euo pipefail
cd "$(dirname "$0")/.."

tests=false
case "${1:-}" in
  "") ;;
  --tests) tests=true ;;
  *) echo "usage: scripts/setup.sh [--tests]" >&2; exit 2 ;;
esac

say() { echo "setup: $*"; }
stop() { echo "setup: stopped: $*" >&2; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }

# Installs Debian packages. $1 says what they are for; the rest are their names.
debian_install() {
  local purpose=$1
  shift
  has apt-get || stop "$purpose is missing; this is no Debian, so please install it by hand (on Debian: $*)"
  [ "$(id -u)" = 0 ] || stop "$purpose is missing; run: sudo apt-get install $*"
  say "installing $purpose: $*"
  # One update a run: a fresh machine's package list is empty or old.
  if [ -z "${updated:-}" ]; then apt-get -qq update && updated=yes; fi
  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" >/dev/null \
    || stop "apt-get could not install: $*"
}

debian_has() { has dpkg-query && dpkg-query -W "$@" >/dev/null 2>&1; }

check_basics() {
  has node || stop "Node.js is missing; install version 20 or later from nodejs.org"
  [ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ] || stop "Node.js $(node --version) is too old; install 20 or later"
  has npm || stop "npm is missing; it comes with Node.js, or in a package of its own"
  has rustup || stop "rustup is missing; install it as rustup.rs says"
  cargo --version >/dev/null || stop "rustup has no working toolchain; run: rustup default stable"
  # Build scripts and procedural macros are linked for this machine.
  has cc || debian_install "a C linker" gcc libc6-dev
}

# All wasm builds compile the standard library with the crate (scripts/toolchain.mjs says why): its source is enough.
rustup_ready() { [[ $'\n'"$(rustup component list --installed 2>/dev/null)"$'\n' == *$'\n'rust-src$'\n'* ]]; }

debian_ready() { debian_has rustc-web cargo-web rust-web-src; }

# Where the server is out of reach, rustup may wait for long: this does not.
rustup_add() {
  say "asking rustup for the source of Rust's standard library"
  timeout 180 rustup component add rust-src
}

choose_toolchain() {
  local before="" choice
  [ -f .tools/toolchain ] && before=$(cat .tools/toolchain)
  choice=${AZULEJO_TOOLCHAIN:-}
  if [ -z "$choice" ]; then
    if rustup_ready; then choice=rustup
    elif [ "$before" = debian ] && debian_ready; then choice=debian
    elif rustup_add; then choice=rustup
    else
      say "rustup could not fetch it; Debian has a compiler that comes with it"
      choice=debian
    fi
  fi
  case "$choice" in
    rustup) rustup_ready || rustup_add || stop "rustup could not fetch the standard library's source" ;;
    debian)
      debian_ready || debian_install "a Rust compiler for wasm32" rustc-web cargo-web rust-web-src
      [ -x "$(rustc --print target-libdir)/../bin/rust-lld" ] || stop "rustup's toolchain has no rust-lld to link wasm with"
      ;;
    *) stop "AZULEJO_TOOLCHAIN is rustup or debian, not $choice" ;;
  esac
  echo "$choice" > .tools/toolchain
  say "wasm compiler: $choice's"
}

# The command line tool and the crate must be of one version: they speak a format that changes with each.
install_wasm_bindgen() {
  local version
  version=$(awk '/^name = "wasm-bindgen"$/ { getline; gsub(/[^0-9.]/, ""); print }' Cargo.lock)
  [ -n "$version" ] || stop "Cargo.lock does not name a version of wasm-bindgen"
  if [ "$(.tools/bin/wasm-bindgen --version 2>/dev/null || true)" != "wasm-bindgen $version" ]; then
    say "building wasm-bindgen $version (some minutes, once)"
    # Without --locked: its lock may name versions that the registry has withdrawn. Without its default feature, TLS: it
    # downloads nothing. It runs for seconds: optimising it more would take longer than it saves.
    CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_TARGET_DIR=.tools/wasm-bindgen-build \
      cargo install --quiet --root .tools --version "$version" --force wasm-bindgen-cli --no-default-features --bin wasm-bindgen \
      || stop "cargo could not install wasm-bindgen-cli $version"
    rm -rf .tools/wasm-bindgen-build
  fi
  say "wasm-bindgen $version"
}

install_node_modules() {
  # npm writes this file at the end of each install.
  if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
    say "installing the npm packages of package-lock.json"
    npm ci --no-audit --no-fund --loglevel=error || stop "npm ci failed"
    touch node_modules/.package-lock.json
  fi
}

# Firefox, and WebKit with a screen to draw on, for a smoke test of each. It is skipped where they cannot be had, but not in CI.
prepare_engines() {
  local packages=(firefox-esr libwebkit2gtk-4.1-0 xvfb)
  if debian_has "${packages[@]}" || (debian_install "Firefox and WebKit" "${packages[@]}"); then return; fi
  [ -z "${CI:-}" ] || exit 1
  say "without Firefox and WebKit: their smoke tests will be skipped"
}

# A second Vulkan driver, which has what the browser's SwiftShader has not: arithmetic in halves, and subgroups of eight.
prepare_vulkan() {
  if debian_has mesa-vulkan-drivers || (debian_install "Mesa's Vulkan driver" mesa-vulkan-drivers); then return; fi
  [ -z "${CI:-}" ] || exit 1
  say "without Mesa's Vulkan driver: kernels that compute in halves will be compiled, but not run"
}

prepare_tests() {
  cargo fmt --version >/dev/null 2>&1 || timeout 180 rustup component add rustfmt || stop "rustfmt is missing; run: rustup component add rustfmt"
  cargo clippy --version >/dev/null 2>&1 || timeout 180 rustup component add clippy || stop "clippy is missing; run: rustup component add clippy"
  if [ "$(cat .tools/toolchain)" = debian ]; then
    # rustup's clippy cannot read the library that Debian's compiler builds.
    debian_has rust-web-clippy || debian_install "clippy of the wasm compiler" rust-web-clippy
  fi
  node scripts/chromium.mjs >/dev/null 2>&1 || debian_install "Chromium" chromium
  say "browser: $(node scripts/chromium.mjs)"
  prepare_engines
  prepare_vulkan
  # 10,000 images with their classes: what our own classifier is measured on.
  [ -d /usr/share/datasets/fashion-mnist ] || debian_install "Fashion-MNIST" dataset-fashion-mnist
}

mkdir -p .tools
check_basics
# It compiles for minutes; the rest waits for the network. A process group of its own, so that all of it ends with this.
set -m
install_wasm_bindgen &
set +m
compiling=$!
trap 'kill -- "-$compiling" 2>/dev/null || true' EXIT
choose_toolchain
install_node_modules
if $tests; then prepare_tests; fi
wait "$compiling" || stop "wasm-bindgen is missing"
say "ready"
