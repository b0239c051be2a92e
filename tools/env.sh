# shellcheck shell=bash
# The build environment: a Debian testing root file system, made once and entered with bubblewrap.
# Sourced by ./dev, which sets REPO, CACHE and ENV_ROOT.

readonly PACKAGES_FILE=$REPO/tools/packages.txt
readonly LOG=$CACHE/env.log
readonly SPACE_NEEDED_MIB=6144

say() { printf '%s\n' "$*" >&2; }
die() { say "dev: $*"; exit 1; }

packages() { sed 's/#.*//' "$PACKAGES_FILE" | xargs -n1 | sort -u; }
packages_hash() { packages | sha256sum | cut -c1-16; }

# step MESSAGE WAY_OUT COMMAND...: runs a long command with its output in $LOG, showing that it lives.
step() {
  local message=$1 way_out=$2 start=$SECONDS mark child status=0 last_line=$SECONDS
  shift 2
  touch "$LOG"
  mark=$(wc -l <"$LOG")
  [[ -t 2 ]] || say "$message ..."
  # Job control gives the command a process group of its own, so that stopping it stops its children too.
  set -m
  "$@" >>"$LOG" 2>&1 </dev/null &
  child=$!
  set +m
  trap 'kill -TERM -- -'"$child"' 2>/dev/null || true; die "interrupted; the next run takes it up again"' INT TERM HUP
  while kill -0 "$child" 2>/dev/null; do
    if [[ -t 2 ]]; then
      printf '\r\033[K%s ... %d s' "$message" $((SECONDS - start)) >&2
    elif ((SECONDS - last_line >= 20)); then
      say "  $message: still at it after $((SECONDS - start)) s ($(tail -n1 "$LOG" | cut -c1-80))"
      last_line=$SECONDS
    fi
    sleep 0.3
  done
  wait "$child" || status=$?
  trap - INT TERM HUP
  [[ ! -t 2 ]] || printf '\r\033[K' >&2
  if ((status)); then
    explain_failure "$message" "$way_out" "$(tail -n +$((mark + 1)) "$LOG")"
  fi
  say "$message: done in $((SECONDS - start)) s"
}

explain_failure() {
  local message=$1 way_out=$2 output=$3 line
  local network='(could not|cannot|unable to|failed to) (resolve|connect|fetch)|temporary failure|failed getting release'
  if line=$(grep -im1 'no space left on device' <<<"$output"); then
    die "$message failed: the disk is full: make room (or set TENURE_ENV to a folder elsewhere), then run this again"
  elif line=$(grep -Eim1 "$network" <<<"$output"); then
    die "$message failed: no network? ($line) Run this again when the package archive can be reached"
  fi
  say "--- the end of $LOG:"
  tail -n 15 <<<"$output" >&2
  die "$message failed: $way_out"
}

require_root() {
  ((EUID == 0)) || die "$1 needs root; run ./dev as root"
}

# debian_mirror env|in_env: the archive that this machine or the environment uses, in either format of its sources;
# nothing when there is none.
debian_mirror() {
  # shellcheck disable=SC2016  # the $(...) are apt's own placeholders
  "$@" apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 2>/dev/null |
    awk -v codename="$(. /etc/os-release && printf %s "${VERSION_CODENAME:-}")" '
      $3 == "main" && $1 ~ /^https?:.*\/debian\/?$/ && ($2 == codename || $2 ~ /^(oldstable|stable|testing|unstable|sid)$/) {
        print $1; exit }'
}

install_host_tools() {
  local missing=()
  command -v debootstrap >/dev/null || missing+=(debootstrap)
  command -v bwrap >/dev/null || missing+=(bubblewrap)
  ((${#missing[@]})) || return 0
  require_root "installing ${missing[*]} on this machine"
  command -v apt-get >/dev/null || die "there is no apt-get here; the environment needs Debian 12 or newer"
  # A host's list may name archives that are gone; what counts is whether these packages can be had.
  step "Installing ${missing[*]} on this machine" "see above, then run this again" \
    sh -c 'apt-get update; DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"' \
    sh "${missing[@]}"
}

# debootstrap and the environment's apt know of proxies by these variables only.
adopt_apt_proxy() {
  local scheme proxy
  command -v apt-config >/dev/null || return 0
  for scheme in http https; do
    proxy=
    eval "$(apt-config shell proxy "Acquire::$scheme::Proxy")"
    [[ -z $proxy || $proxy == DIRECT ]] || export "${scheme}_proxy=$proxy"
  done
}

# in_root ROOT COMMAND...: as root inside ROOT, with the network, to install packages.
in_root() {
  local root=$1
  shift
  bwrap --bind "$root" / --proc /proc --dev /dev --perms 1777 --tmpfs /tmp --cap-add ALL --die-with-parent \
    --chdir / --clearenv --setenv PATH /usr/sbin:/usr/bin:/sbin:/bin --setenv HOME /root \
    --setenv DEBIAN_FRONTEND noninteractive --setenv LC_ALL C.UTF-8 \
    ${http_proxy:+--setenv http_proxy "$http_proxy"} ${https_proxy:+--setenv https_proxy "$https_proxy"} "$@"
}

# Where the environment's files are, seen from outside it; nothing when this machine is the environment.
env_root() { ((NATIVE)) || printf '%s\n' "$ENV_ROOT"; }

# in_env COMMAND...: as in_root, in the environment, whichever that is.
in_env() {
  if ((NATIVE)); then
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
      ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} "$@"
  else
    in_root "$ENV_ROOT" "$@"
  fi
}

install_packages() {
  local root=$1 wanted
  mapfile -t wanted < <(packages)
  adopt_apt_proxy
  cp -L /etc/resolv.conf "$root/etc/resolv.conf"
  step "Reading Debian testing's package lists" "see above, then run this again" \
    in_root "$root" apt-get -o Acquire::Check-Valid-Until=false -o APT::Update::Error-Mode=any update
  step "Installing ${#wanted[@]} packages and what they need" "see above, then run this again" \
    in_root "$root" apt-get -o Acquire::Check-Valid-Until=false install -y --no-install-recommends "${wanted[@]}"
  in_root "$root" apt-get clean
  # Debian compiles its Python packages for its default version only, and the environment is read-only later.
  step "Compiling Python packages for the other versions" "see above, then run this again" \
    in_root "$root" sh -c '
      for python in /usr/bin/python3.[0-9][0-9]; do
        "$python" -m compileall -q -j0 /usr/lib/python3/dist-packages || exit
      done'
}

# The stamp is the last thing written: a root without one was not finished. Its second word names the installed
# versions, so that Bazel never reuses what another compiler made.
write_stamp() {
  local root=$1 stamp=$1/.tenure-stamp
  printf '%s %s\n' "$(packages_hash)" "$(installed_hash "$root")" >"$stamp.new"
  mv "$stamp.new" "$stamp"
}

installed_hash() { sha256sum <"$1/var/lib/dpkg/status" | cut -c1-12; }

# check_space FOLDER MIB
check_space() {
  local folder=$1 needed=$2 free
  free=$(df --output=avail -m "$folder" | tail -n1 | tr -d ' ')
  ((free >= needed)) ||
    die "$free MiB free in $folder, about $needed needed: free some, or set TENURE_ENV to a folder elsewhere"
}

make_env() {
  local partial=$ENV_ROOT.partial mirror
  require_root "making the build environment in $ENV_ROOT"
  mkdir -p "$(dirname "$ENV_ROOT")" || die "cannot make $(dirname "$ENV_ROOT"): set TENURE_ENV to a folder that can be made"
  if [[ -e $ENV_ROOT ]]; then
    rmdir "$ENV_ROOT" 2>/dev/null ||
      die "$ENV_ROOT is there, but no environment of ours: remove it, or set TENURE_ENV to another folder"
  fi
  if [[ -e $partial ]]; then
    [[ -e $partial/.tenure-partial ]] || die "$partial is in the way and not ours: remove it"
    rm -rf --one-file-system "$partial"
  fi
  check_space "$(dirname "$ENV_ROOT")" "$SPACE_NEEDED_MIB"
  install_host_tools
  mirror=$(debian_mirror env)
  adopt_apt_proxy
  say "Making the build environment in $ENV_ROOT (once; a few minutes; log in $LOG)"
  mkdir "$partial"
  touch "$partial/.tenure-partial"
  # A mount namespace of its own: what debootstrap has mounted goes away with it, also when it is killed.
  step "Unpacking Debian testing" "see above, then run this again" \
    unshare --mount debootstrap --variant=minbase --include=ca-certificates testing "$partial" ${mirror:+"$mirror"}
  printf 'path-exclude=/usr/share/%s/*\n' man info locale lintian >"$partial/etc/dpkg/dpkg.cfg.d/tenure"
  # An environment that a power cut has broken is made again.
  printf 'force-unsafe-io\n' >>"$partial/etc/dpkg/dpkg.cfg.d/tenure"
  install_packages "$partial"
  rm "$partial/.tenure-partial"
  write_stamp "$partial"
  mv "$partial" "$ENV_ROOT"
}

update_env() {
  local hash generation
  require_root "updating the build environment in $ENV_ROOT"
  say "tools/packages.txt has changed: updating $ENV_ROOT (log in $LOG)"
  read -r hash generation <"$ENV_ROOT/.tenure-stamp"
  printf 'updating %s\n' "$generation" >"$ENV_ROOT/.tenure-stamp"
  install_packages "$ENV_ROOT"
  write_stamp "$ENV_ROOT"
  # What was built with the old versions is never used again.
  [[ $generation == "$(installed_hash "$ENV_ROOT")" ]] || rm -rf "$CACHE/bazel/${generation:?}"
}

# Whether this machine is itself what the environment would be.
machine_is_env() {
  grep -qx 'ID=debian' /etc/os-release && ! grep -q '^VERSION_ID=' /etc/os-release || return 1
  all_installed /
}

all_installed() {
  local root=$1 wanted
  mapfile -t wanted < <(packages)
  # shellcheck disable=SC2016  # the ${...} is dpkg-query's own
  [[ $(dpkg-query --admindir="$root/var/lib/dpkg" -W -f '${db:Status-Status}\n' "${wanted[@]}" 2>/dev/null |
    grep -cx installed) -eq ${#wanted[@]} ]]
}

# Ready is also one that holds more than this clone's list asks for, as when two clones share it.
env_is_ready() {
  local hash generation
  { read -r hash generation <"$ENV_ROOT/.tenure-stamp"; } 2>/dev/null || return 1
  [[ $hash == "$(packages_hash)" ]] || { [[ $hash != updating ]] && all_installed "$ENV_ROOT"; }
}

# One dev at a time makes or changes the environment.
lock_env() {
  exec {ENV_LOCK}>"$CACHE/env.lock"
  flock -n "$ENV_LOCK" || { say "Waiting for another dev that is making the environment ..."; flock "$ENV_LOCK"; }
}

unlock_env() { exec {ENV_LOCK}>&-; }

# Makes the environment if it has to; sets NATIVE and GENERATION (a name for the versions installed in it).
# shellcheck disable=SC2034  # both are read by dev
ensure_env() {
  mkdir -p "$CACHE/home" 2>/dev/null && [[ -w $CACHE && -w $CACHE/home ]] ||
    die "cannot write to $CACHE: set XDG_CACHE_HOME to a folder of yours"
  NATIVE=0
  if [[ -z ${TENURE_ENV:-} || ! -e $ENV_ROOT ]] && machine_is_env; then
    NATIVE=1
    GENERATION=$(installed_hash /)
    return
  fi
  if ! env_is_ready; then
    lock_env
    if ! env_is_ready; then
      : >"$LOG"
      if [[ -e $ENV_ROOT/.tenure-stamp ]]; then update_env; else make_env; fi
    fi
    unlock_env
  fi
  read -r _ GENERATION <"$ENV_ROOT/.tenure-stamp"
  command -v bwrap >/dev/null || install_host_tools
}
