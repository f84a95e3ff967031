#!/bin/sh
# Installs or upgrades chat from a release: `sh install.sh --help`. For POSIX shells and the tools of Linux and macOS. Everything
# stands in functions, and the last line calls them: of a script that was cut off on its way nothing runs.
set -eu

usage() {
  cat <<'USAGE'
usage: sh install.sh [--from DIR|URL] [--to DIR] [--system] [--service] [--no-completions] [--force]
       sh install.sh --uninstall [--system]

Installs chat for this platform from a release, or upgrades it: checks the file against SHA256SUMS,
sees that it starts, and puts it in place at once; a server that is running keeps its old file.

  --from DIR|URL    the release: a directory, or an https URL that the names of its files are put
                    after; without it the directory that this script lies in
  --to DIR          where the executable goes: ~/.local/bin, or /usr/local/bin for root
  --system          for everybody on this machine; needs root, and is what root gets in any case
  --service         a systemd service too: its unit and its user; needs root
  --no-completions  no completions for bash, zsh and fish, and no manual page
  --force           also in the place of files that this script has not put there
  --uninstall       removes what this script has installed, and no data
  -h, --help        this

DESTDIR=DIR in the environment is put before every path, for who makes an image or a package; then no
user is made.

Exit codes: 2 an argument, a file or this platform does not fit, 3 the release cannot be fetched,
5 not allowed, 9 the file is not the one that SHA256SUMS tells of, 1 anything else
USAGE
}

say() { printf '%s\n' "$*"; }
warn() { printf 'install.sh: %s\n' "$*" >&2; }
# fail CODE TEXT…
fail() {
  code=$1
  shift
  warn "$*"
  exit "$code"
}

# What a failed program said, as one line for the end of a message.
first_line() { sed -n '/./{s/^[[:space:]]*//;p;q;}' "$1"; }

# What is begun and not in place; whatever happens, it goes.
new=''
work=''
clean_up() {
  [ -z "$new" ] || rm -f -- "$new"
  [ -z "$work" ] || rm -rf -- "$work"
}

main() {
  from='' to='' system=no service=no completions=yes force=no uninstall=no
  while [ $# -gt 0 ]; do
    case $1 in
      --from | --to)
        [ -n "${2:-}" ] || fail 2 "$1 needs a value (see --help)"
        case $1 in --from) from=$2 ;; *) to=$2 ;; esac
        shift
        ;;
      --from=?*) from=${1#*=} ;;
      --to=?*) to=${1#*=} ;;
      --system) system=yes ;;
      --service) service=yes system=yes ;;
      --no-completions) completions=no ;;
      --force) force=yes ;;
      --uninstall) uninstall=yes ;;
      -h | --help)
        usage
        return
        ;;
      *) fail 2 "there is no argument $1 (see --help)" ;;
    esac
    shift
  done
  umask 022
  trap clean_up EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 141' PIPE
  trap 'exit 143' TERM
  work=$(mktemp -d "${TMPDIR:-/tmp}/chat-install.XXXXXX" 2>/dev/null) ||
    fail 5 "no directory for temporary files can be made in ${TMPDIR:-/tmp}"

  find_places
  if [ "$uninstall" = yes ]; then
    uninstall_all
    return
  fi
  find_platform
  find_source
  [ "$service" = no ] || check_service
  install_executable
  if [ "$completions" = yes ]; then
    install_completions
  fi
  [ "$service" = no ] || install_service
  tell_of_path
}

# ── where things go ──

find_places() {
  destdir=${DESTDIR:-}
  is_root=no
  [ "$(id -u)" != 0 ] || is_root=yes
  if [ "$system" = yes ] && [ "$is_root" = no ] && [ -z "$destdir" ]; then
    [ "$service" = no ] || fail 5 "--service needs root: run it with sudo"
    fail 5 "--system needs root: run it with sudo"
  fi
  [ "$is_root" = no ] || system=yes
  if [ "$system" = yes ]; then
    bin=/usr/local/bin
    share=/usr/local/share
    fish=$share/fish/vendor_completions.d
    # Of what lies elsewhere fish knows only as root's packages have told it.
    [ ! -d "$destdir/etc/fish" ] || fish=/etc/fish/completions
  else
    case ${HOME:-} in
      /*) ;;
      *) fail 2 "HOME is not set to a directory, so there is no place to install to" ;;
    esac
    bin=$HOME/.local/bin
    share=$(absolute_or "${XDG_DATA_HOME:-}" "$HOME/.local/share")
    fish=$(absolute_or "${XDG_CONFIG_HOME:-}" "$HOME/.config")/fish/completions
  fi
  if [ -n "$to" ]; then
    case $to in
      /*) bin=${to%/} ;;
      *) bin=$PWD/${to%/} ;;
    esac
  fi
  case $destdir$bin$share$fish in
    *"
"*) fail 2 "a directory whose name has a line break in it cannot be installed to" ;;
  esac
  bash=$share/bash-completion/completions
  zsh=$share/zsh/site-functions
  man=$share/man/man1
  units=/usr/local/lib/systemd/system
  # Every file that is here because of this script, one path a line. Not below $share/chat, where a server may keep its data.
  receipt=$destdir$share/chat-install/files
}

# absolute_or PATH OTHER: the other one unless the path is absolute, as the XDG specification has it.
absolute_or() {
  case $1 in
    /*) printf '%s\n' "$1" ;;
    *) printf '%s\n' "$2" ;;
  esac
}

# is_ours PATH: whether this script has put it there.
is_ours() { [ -f "$receipt" ] && grep -Fqx -- "$1" "$receipt"; }

# keep_in_receipt PATH
keep_in_receipt() {
  if is_ours "$1"; then return; fi
  if mkdir -p -- "${receipt%/*}" 2>/dev/null && [ ! -d "$receipt" ] && (printf '%s\n' "$1" >>"$receipt") 2>/dev/null; then
    return
  fi
  warn "$receipt cannot be written, so --uninstall will not know of $1"
}

# ── which file ──

find_platform() {
  kernel=$(uname -s)
  machine=$(uname -m)
  case $kernel in
    Linux) platform=linux ;;
    Darwin) platform=darwin ;;
    MINGW* | MSYS* | CYGWIN* | Windows*)
      fail 2 "on Windows there is nothing to install: download chat-win32-x64.exe, call it chat.exe and put it on the Path"
      ;;
    *) fail 2 "there is no release for $kernel: only for Linux, macOS and Windows" ;;
  esac
  case $machine in
    x86_64 | amd64) machine=x64 ;;
    aarch64 | arm64) machine=arm64 ;;
    *) fail 2 "there is no release for $kernel on $machine: only for x86_64 and arm64" ;;
  esac
  # An Intel shell on a Mac with Apple's processor is told that it runs on Intel.
  if [ "$platform-$machine" = darwin-x64 ] && [ "$(sysctl -n sysctl.proc_translated 2>/dev/null || :)" = 1 ]; then
    machine=arm64
  fi
  if [ "$platform" = linux ] && uses_musl; then
    fail 2 "this Linux uses musl, and the executable needs glibc 2.28 or later: install the npm package with a Node.js of this system"
  fi
  name=chat-$platform-$machine
}

# Alpine and the like; `ldd --version` of musl ends with 1 and says so on stderr.
uses_musl() { (ldd --version 2>&1 || :) | grep -qi musl; }

find_source() {
  if [ -z "$from" ]; then
    case $0 in
      */*) from=${0%/*}/ ;;
      *) from=. ;;
    esac
    if [ ! -f "$0" ] || [ ! -f "$from/SHA256SUMS" ]; then
      fail 2 "this script does not lie in a release: say where one is with --from DIR or --from URL"
    fi
  fi
  authority=${from#*://}
  case $from in
    *://*) case ${authority%%/*} in *@* | *[[:space:]]*) fail 2 "--from $from: a URL has no user, password or blank in it here" ;; esac ;;
  esac
  case $from in
    https://?*) source=url protocol=https ;;
    http://127.0.0.1/* | http://127.0.0.1:* | http://localhost/* | http://localhost:* | 'http://[::1]/'* | 'http://[::1]:'*)
      source=url protocol=http
      ;;
    *://*) fail 2 "--from $from: only https is fetched; anybody on the way could change the rest" ;;
    *)
      source=directory
      [ -d "$from" ] || fail 2 "--from $from: there is no such directory"
      ;;
  esac
  if [ "$source" = url ]; then
    from=${from%/}
    if command -v curl >/dev/null; then
      fetcher=curl
    elif command -v wget >/dev/null; then
      fetcher=wget
    else
      fail 3 "neither curl nor wget is here: install one of them, or download the release and use --from DIR"
    fi
  fi
  sums=$work/SHA256SUMS
  get SHA256SUMS "$sums"
}

# get NAME FILE: the release's file of that name, into that file.
get() {
  if [ "$source" = directory ]; then
    [ -f "$from/$1" ] || fail 2 "there is no $1 in $from"
    [ -r "$from/$1" ] || fail 5 "$from/$1 cannot be read by this user"
    # Not cp: on macOS it would copy what a browser has noted of the file.
    cat <"$from/$1" >"$2" 2>"$work/said" || fail 2 "$1 cannot be written to ${2%/*}: is the disk full? $(first_line "$work/said")"
    return
  fi
  say "fetching $from/$1"
  status=0
  if [ "$fetcher" = curl ]; then
    curl --fail --location --silent --show-error --globoff --proto "=$protocol" --proto-redir '=https' \
      --connect-timeout 30 --speed-limit 100 --speed-time 60 --output "$2" -- "$from/$1" 2>"$work/said" || status=$?
  else
    # One try: what came in part is not gone on with. BusyBox's wget tries once, and Debian's dies of -T.
    flags=''
    if wget --version >/dev/null 2>&1; then flags='--tries=1 -T 60'; fi
    # shellcheck disable=SC2086 # No word at all when it is empty.
    wget -q $flags -O "$2" "$from/$1" 2>"$work/said" || status=$?
    [ "$status" != 8 ] || echo "the server has no such file, or refuses it" >"$work/said"
  fi
  # Of either program's codes the one for a file that it could not write.
  case $fetcher-$status in
    curl-23 | wget-3) fail 2 "$1 cannot be written to ${2%/*}: is the disk full? $(first_line "$work/said")" ;;
  esac
  [ "$status" = 0 ] || fail 3 "$from/$1 cannot be fetched: $fetcher ended with $status. $(first_line "$work/said")"
}

# ── whether it is the right file ──

sum_of() {
  if command -v sha256sum >/dev/null; then
    sha256sum <"$1" | cut -d ' ' -f 1
  elif command -v shasum >/dev/null; then
    shasum -a 256 <"$1" | cut -d ' ' -f 1
  elif command -v openssl >/dev/null; then
    openssl dgst -sha256 -r <"$1" | cut -d ' ' -f 1
  else
    fail 2 "none of sha256sum, shasum and openssl is here, so nothing can be checked: install one of them"
  fi
}

# expected_sum NAME: what SHA256SUMS says of it.
expected_sum() {
  found=$(awk -v name="$1" '$2 == name || $2 == "*" name { print $1 }' "$sums")
  case $found in
    *[!0-9a-f]* | '') fail 9 "SHA256SUMS of $from has no sum of $1, so nothing is installed" ;;
  esac
  [ ${#found} = 64 ] || fail 9 "SHA256SUMS of $from has no whole sum of $1, so nothing is installed"
  printf '%s\n' "$found"
}

# verify NAME FILE
verify() {
  expected=$(expected_sum "$1") || exit
  actual=$(sum_of "$2") || exit
  [ "$actual" = "$expected" ] ||
    fail 9 "$1 is not the one that SHA256SUMS tells of (its sum is $actual, not $expected): nothing is installed; fetch it again"
}

# ── the executable ──

# run FILE WORD…: as a stranger would run it: nobody's settings have a say in what it prints.
run() {
  env -i PATH="$PATH" HOME="${HOME:-/}" CHAT_CONFIG=/dev/null CHAT_SYSTEM_CONFIG=/dev/null "$@" </dev/null
}

make_directory() {
  [ -d "$1" ] || mkdir -p -- "$1" 2>"$work/said" || fail 5 "$1 cannot be made: $(first_line "$work/said")"
}

install_executable() {
  target=$bin/chat
  placed=$destdir$target
  make_directory "$destdir$bin"
  [ -w "$destdir$bin" ] || fail 5 "$destdir$bin cannot be written to by this user: name another directory with --to, or use sudo"
  [ ! -d "$placed" ] || fail 2 "$placed is a directory"
  if [ -e "$placed" ] || [ -L "$placed" ]; then
    is_ours "$target" || [ "$force" = yes ] ||
      fail 2 "$placed is there already, and this script has not put it there: remove it, use --to, or replace it with --force"
  fi
  expected=$(expected_sum "$name") || exit
  if [ -f "$placed" ] && [ -x "$placed" ] && [ "$(sum_of "$placed")" = "$expected" ]; then
    say "chat $(run "$placed" --version) is in $target already"
    keep_in_receipt "$target"
    return
  fi
  new=$(mktemp "$destdir$bin/.chat.XXXXXX" 2>/dev/null) || fail 5 "no file can be made in $destdir$bin"
  get "$name" "$new"
  verify "$name" "$new"
  say "$name is the one that SHA256SUMS tells of"
  chmod 755 "$new"
  if [ "$platform-$machine" = darwin-arm64 ]; then
    # Whoever made the release need not have had a Mac, and macOS starts nothing on arm64 without a signature of some kind.
    say "signing it for this machine: codesign --force --sign - $target"
    codesign --force --sign - "$new" 2>"$work/said" || fail 2 "codesign has failed: $(first_line "$work/said")"
  fi
  version=$(run "$new" --version 2>"$work/said") || version=''
  if [ -z "$version" ]; then
    why=$(first_line "$work/said")
    case $why in
      # Many small systems do without it.
      *libatomic.so*) why="$why. Install it: apt-get install libatomic1, dnf install libatomic" ;;
    esac
    fail 2 "the new chat does not start on this machine, so nothing is installed: $why"
  fi
  before=''
  if [ -x "$placed" ]; then before=$(run "$placed" --version 2>/dev/null || :); fi
  mv -f -- "$new" "$placed"
  new=''
  keep_in_receipt "$target"
  if [ -z "$before" ]; then
    say "installed chat $version: $target"
  else
    say "installed chat $version: $target, where $before was"
  fi
}

# ── what helps with it ──

# put DIRECTORY NAME: stdin as that file, whole, unless another's file is there. Whatever is wrong, chat itself is installed.
put() {
  path=$1/$2
  if [ -d "$destdir$path" ]; then
    # mv would put the file into it.
    warn "$destdir$path is a directory: left as it is"
    return 1
  fi
  if { [ -e "$destdir$path" ] || [ -L "$destdir$path" ]; } && ! is_ours "$path" && [ "$force" = no ]; then
    warn "$destdir$path is there already, and this script has not put it there: left as it is (--force replaces it)"
    return 1
  fi
  if mkdir -p -- "$destdir$1" 2>"$work/said" && new=$(mktemp "$destdir$1/.chat.XXXXXX" 2>"$work/said") &&
    cat >"$new" 2>"$work/said" && chmod 644 "$new" && mv -f -- "$new" "$destdir$path"; then
    new=''
    keep_in_receipt "$path"
    say "wrote $path"
  else
    [ -z "$new" ] || rm -f -- "$new"
    new=''
    warn "$destdir$path cannot be written, and is left out: $(first_line "$work/said")"
    return 1
  fi
}

# put_printed DIRECTORY NAME WORD…: what chat prints at these words.
put_printed() {
  directory=$1 file=$2
  shift 2
  if run "$placed" "$@" >"$work/printed" 2>"$work/said"; then
    put "$directory" "$file" <"$work/printed"
  else
    warn "chat $* has failed, so $directory/$file is left out: $(first_line "$work/said")"
    return 1
  fi
}

install_completions() {
  put_printed "$bash" chat completion bash || :
  if put_printed "$zsh" _chat completion zsh && [ "$system" = no ]; then
    zsh_finds_it || {
      say "  zsh finds it with this line in ~/.zshrc, before compinit:"
      say "    fpath=($(quoted "$zsh") \$fpath)"
    }
  fi
  put_printed "$fish" chat.fish completion fish || :
  put_printed "$man" chat.1 man || :
}

zsh_finds_it() {
  case :${FPATH:-}: in
    *:"$zsh":*) return 0 ;;
    *) return 1 ;;
  esac
}

# A word that a shell takes as it is.
quoted() {
  case $1 in
    *[!A-Za-z0-9_./-]*) printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")" ;;
    *) printf '%s' "$1" ;;
  esac
}

tell_of_path() {
  case :$PATH: in
    *:"$bin":*)
      found=$(command -v chat || :)
      [ -n "$destdir" ] || [ "$found" = "$target" ] || [ -z "$found" ] || warn "what is called chat here is $found, which comes before $target on PATH"
      ;;
    *)
      # Nobody's PATH leads into an image.
      [ -z "$destdir" ] || return 0
      say "$bin is not on PATH; this line in ~/.profile (zsh: ~/.zprofile) puts it there:"
      say "  PATH=$(quoted "$bin"):\$PATH"
      ;;
  esac
}

# ── the service ──

check_service() {
  [ "$platform" = linux ] || fail 2 "--service is for systemd, which this system does not have"
  [ -n "$destdir" ] || command -v systemctl >/dev/null || fail 2 "--service is for systemd, which this system does not have"
  [ "$bin" = /usr/local/bin ] || fail 2 "--service starts /usr/local/bin/chat: leave out --to"
  get chat.service "$work/chat.service"
  verify chat.service "$work/chat.service"
  [ -n "$destdir" ] || id -u chat >/dev/null 2>&1 || command -v useradd >/dev/null ||
    fail 2 "--service needs a user chat, and there is no useradd here to make it: make it yourself first"
}

install_service() {
  put "$units" chat.service <"$work/chat.service" || exit 2
  if [ -n "$destdir" ]; then
    say "DESTDIR: no user is made; the service runs as the system user chat"
    return
  fi
  if id -u chat >/dev/null 2>&1; then
    say "the service runs as the user chat, who is there already"
  else
    useradd --system --user-group --home-dir /var/lib/chat --no-create-home --shell /usr/sbin/nologin chat 2>"$work/said" ||
      fail 1 "the user chat cannot be made: $(first_line "$work/said")"
    say "made the system user chat"
  fi
  [ ! -f /etc/systemd/system/chat.service ] ||
    warn "systemd goes by /etc/systemd/system/chat.service, which is there too: remove it, and keep what differs with systemctl edit chat"
  if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
  if [ -d /run/systemd/system ] && systemctl is-active --quiet chat; then
    say "the service is running, still as the version that it was; this starts the new one:"
    say "  systemctl restart chat"
    return
  fi
  say "the service is not started yet:"
  say "  systemctl enable --now chat    starts it, now and with the machine"
  say "  journalctl -u chat             what it says: the code of the first administrator too"
  say "It listens for this machine alone; for others put \"listen: 0.0.0.0:8080\" into /etc/chat/server.yaml first."
}

# ── and away again ──

uninstall_all() {
  [ -f "$receipt" ] || fail 2 "there is no $receipt: nothing was installed by this script, or for $(other_whom)"
  if is_ours "$units/chat.service" && [ -z "$destdir" ] && [ -d /run/systemd/system ]; then
    ! systemctl is-active --quiet chat || fail 2 "the service is running: end it first with systemctl disable --now chat"
    systemctl disable chat.service >/dev/null 2>&1 || :
  fi
  had_service=no
  while IFS= read -r path; do
    case $path in
      */chat | */_chat | */chat.fish | */chat.1) ;;
      */chat.service) had_service=yes ;;
      *)
        warn "$receipt names $path, which this script never installs: left as it is"
        continue
        ;;
    esac
    [ -e "$destdir$path" ] || [ -L "$destdir$path" ] || continue
    rm -f -- "$destdir$path" 2>"$work/said" || fail 5 "$destdir$path cannot be removed: $(first_line "$work/said")"
    say "removed $path"
  done <"$receipt"
  rm -f -- "$receipt"
  rmdir -- "${receipt%/*}" 2>/dev/null || :
  if [ "$had_service" = yes ] && [ -z "$destdir" ]; then
    [ ! -d /run/systemd/system ] || systemctl daemon-reload
    say "left as they are: the data in /var/lib/chat, the settings in /etc/chat, and the user chat"
  else
    say "data, settings and logins are left as they are"
  fi
}

other_whom() {
  if [ "$system" = yes ]; then say "one user, who uninstalls without sudo"; else say "everybody: sudo sh install.sh --uninstall"; fi
}

main "$@"
