# shellcheck shell=bash
# The free-threaded CPython 3.13, which Debian does not ship: made once, from the source package of Debian stable,
# inside the build environment. Sourced by ./dev after tools/env.sh.

# Where it is, inside the environment; tools/python/versions.bzl knows it too. A prefix of its own below /usr/local,
# so that it comes and goes by one rename.
readonly FREE_THREADED=/usr/local/python3.13t
readonly FREE_THREADED_SPACE_MIB=1024

# The next four run in the environment, each in a shell of its own, in the folder that is being made. Nothing from
# outside is visible to them but MIRROR and PREFIX. A change to one of them makes the interpreter anew.

read_source_list() {
  local key=/usr/share/keyrings/debian-archive-keyring.pgp
  mkdir -p apt/lists/partial apt/cache/archives/partial
  printf 'deb-src [signed-by=%s] %s stable main\n' "$key" "$MIRROR" >apt/sources.list
  # Lists of its own: the environment's are testing's, and stay as they are.
  cat >apt/apt.conf <<CONF
Dir::Etc::SourceList "$PWD/apt/sources.list";
Dir::Etc::SourceParts "-";
Dir::State "$PWD/apt";
Dir::State::Status "/dev/null";
Dir::Cache "$PWD/apt/cache";
Acquire::Languages "none";
Acquire::Check-Valid-Until "false";
APT::Update::Error-Mode "any";
CONF
  apt-get --config-file apt/apt.conf update
}

unpack_source() {
  mkdir source
  cd source || exit
  # Checks what it downloads against the signed list, and unpacks it with dpkg-source.
  apt-get --config-file ../apt/apt.conf --only-source source python3.13
}

compile_python() {
  cd source/python3.13-3.13*/ || exit
  # Shared, for the tests that embed it. An extension that cannot be built for want of a library is left out.
  ./configure --prefix="$PREFIX" --disable-gil --enable-shared --without-static-libpython \
    --with-ensurepip=no --disable-test-modules OPT='-O2 -fwrapv -Wall'
  # Debian's configure forgets flags for the linker; make takes them.
  make -j"$(nproc)" CFLAGS_NODIST=-fno-semantic-interposition LDFLAGS_NODIST="-Wl,-rpath,$PREFIX/lib"
  # What the tests of this repository cannot do without.
  LD_LIBRARY_PATH=. ./python -c 'import ctypes, sys, zlib; sys.exit(sys._is_gil_enabled())'
}

install_python() {
  cd source/python3.13-3.13*/ || exit
  make DESTDIR="$OLDPWD/root" altinstall
  rm -rf "$OLDPWD/root$PREFIX/share"
}

free_threaded_recipe() { declare -f read_source_list unpack_source compile_python install_python; }

# in_free_threaded MIRROR FUNCTION
in_free_threaded() {
  in_env env MIRROR="$1" PREFIX="$FREE_THREADED" bash -c "$(free_threaded_recipe)
    set -euo pipefail
    umask 022
    cd $FREE_THREADED.partial
    $2"
}

# Names what it is made by and what it is linked with.
free_threaded_hash() {
  {
    free_threaded_recipe
    dpkg-query --admindir="$(env_root)/var/lib/dpkg" -W libffi-dev zlib1g-dev
  } | sha256sum | cut -c1-16
}

# A name for what has been made, nothing when there is none or another is wanted.
free_threaded_stamp() {
  local hash version
  { read -r hash version <"$(env_root)$FREE_THREADED/.tenure-stamp"; } 2>/dev/null || return 0
  [[ $hash != "$(free_threaded_hash)" ]] || printf '%s:%s\n' "$hash" "$version"
}

make_free_threaded() {
  local root place partial mirror version again="see above, then run this again"
  root=$(env_root)
  place=$root$FREE_THREADED
  partial=$place.partial
  require_root "making the free-threaded CPython 3.13 in $place"
  [[ ! -e $place || -e $place/.tenure-stamp ]] || die "$place is in the way and not ours: remove it"
  rm -rf --one-file-system "$partial"
  check_space "$root/usr/local" "$FREE_THREADED_SPACE_MIB"
  mirror=$(debian_mirror in_env)
  [[ -n $mirror ]] || die "apt's sources name no Debian archive to take CPython's source from: add one, then run this again"
  say "Making the free-threaded CPython 3.13 in $place (once; a few minutes; log in $LOG)"
  mkdir "$partial"
  adopt_apt_proxy
  ((NATIVE)) || cp -L /etc/resolv.conf "$root/etc/resolv.conf"
  step "Reading Debian stable's list of source packages" "$again" in_free_threaded "$mirror" read_source_list
  step "Downloading CPython's source" "does Debian stable still have python3.13? See above" \
    in_free_threaded "$mirror" unpack_source
  step "Compiling the free-threaded CPython" "$again" in_free_threaded "$mirror" compile_python
  step "Installing the free-threaded CPython" "$again" in_free_threaded "$mirror" install_python
  version=$(basename "$partial"/source/python3.13_*.dsc .dsc)
  printf '%s %s\n' "$(free_threaded_hash)" "${version#*_}" >"$partial/root$FREE_THREADED/.tenure-stamp"
  # The rename is what makes it finished.
  rm -rf --one-file-system "$place"
  mv "$partial/root$FREE_THREADED" "$place"
  rm -rf --one-file-system "$partial"
}

# Makes it if it has to. After ensure_env.
ensure_free_threaded() {
  [[ -z $(free_threaded_stamp) ]] || return 0
  lock_env
  if [[ -z $(free_threaded_stamp) ]]; then
    : >"$LOG"
    make_free_threaded
  fi
  unlock_env
}
