#!/bin/sh
# make install, make uninstall. What is installed is listed in a manifest, PREFIX/share/feed-ring/manifest, with checksums:
# uninstall removes those files and links, if they are still as they were installed, and the directories that install made.
#
# No file is overwritten or removed that was not installed by this, or was changed since.
set -eu
cd "$(dirname "$0")/.."
command=$1
prefix=${PREFIX:-/usr/local}
destdir=${DESTDIR:-}
target=${CARGO_TARGET_DIR:-target}

fail() {
    echo "make $command: $*" >&2
    exit 1
}

# The line of the manifest for a path, with the checksum and the size of a file.
line() {
    echo "file $(cksum <"$2" | tr ' ' :) $1"
}

# The same for a link, with what it leads to.
link_line() {
    echo "link $2 $1"
}

# The paths of files and links in a manifest.
paths() {
    sed -n 's/^file [0-9:]* //p; s/^link [^ ]* //p' "$1" | sort -u
}

# Whether a path holds what this installed.
is_as_installed() {
    [ -f "$destdir$manifest" ] || return 1
    if [ -L "$destdir$1" ]; then
        grep -qxF "$(link_line "$1" "$(readlink "$destdir$1")")" "$destdir$manifest"
    else
        [ -f "$destdir$1" ] && grep -qxF "$(line "$1" "$destdir$1")" "$destdir$manifest"
    fi
}

is_free() {
    [ ! -e "$destdir$1" ] && [ ! -L "$destdir$1" ]
}

# Copies a program or a library without the lines of its source that a debugger and a backtrace name: they are most of its size.
# Where strip is missing or refuses, the copy is whole.
copy_built() {
    [ -f "$target/release/$1" ] || fail "$target/release/$1 is missing: run make build manuals first"
    strip --strip-debug -o "$stage/$1" "$target/release/$1" 2>/dev/null || cp "$target/release/$1" "$stage/$1"
}

# Every file and link to install, a line each: mode, source, path.
list() {
    for program in feed-publisher feed-subscriber ringctl; do
        echo "755 $stage/$program $prefix/bin/$program"
        echo "644 $target/manuals/$program.bash $prefix/share/bash-completion/completions/$program"
        echo "644 $target/manuals/_$program $prefix/share/zsh/site-functions/_$program"
        echo "644 $target/manuals/$program.fish $prefix/share/fish/vendor_completions.d/$program.fish"
    done
    # Built by make bridge-program, which takes minutes.
    [ ! -f "$target/release/feed-bridge" ] || echo "755 $stage/feed-bridge $prefix/bin/feed-bridge"
    for page in "$target"/manuals/*.1; do
        echo "644 $page $prefix/share/man/man1/${page##*/}"
    done
    for unit in "$stage"/*.service; do
        echo "644 $unit $prefix/lib/systemd/system/${unit##*/}"
    done
    echo "755 $stage/libfeed_ring_c.so $prefix/lib/$shared"
    echo "link $shared $prefix/lib/libfeed_ring.so"
    echo "644 $stage/libfeed_ring_c.a $prefix/lib/libfeed_ring.a"
    echo "644 $stage/feed_ring.pc $prefix/lib/pkgconfig/feed_ring.pc"
    for header in feed_ring.h feed_ring.hpp; do
        echo "644 bindings/c/include/$header $prefix/include/$header"
    done
    echo "644 install/systemd/feed-ring.sysusers $prefix/lib/sysusers.d/feed-ring.conf"
    echo "644 ops/prometheus/rules.yml $prefix/share/feed-ring/feed-ring.rules.yml"
    echo "644 ops/grafana/feed-ring.json $prefix/share/feed-ring/feed-ring.dashboard.json"
}

# Makes a directory and its parents, and lists those that were not there.
make_directory() {
    [ ! -d "$destdir$1" ] || return 0
    [ "$1" = / ] || make_directory "$(dirname "$1")"
    echo "dir $1" >>"$stage/made"
    mkdir "$destdir$1"
}

install_all() {
    [ -d "$target/manuals" ] && [ -d "$target/release" ] || fail "nothing is built in $target: run make build manuals first"
    : >"$stage/made"
    : >"$stage/before"
    for unit in install/systemd/*.service; do
        sed "s|@BINDIR@|$prefix/bin|" "$unit" >"$stage/${unit##*/}"
    done
    sed "s|@PREFIX@|$prefix|" bindings/c/feed_ring.pc >"$stage/feed_ring.pc"
    for built in feed-publisher feed-subscriber ringctl libfeed_ring_c.so libfeed_ring_c.a; do
        copy_built "$built"
    done
    [ ! -f "$target/release/feed-bridge" ] || copy_built feed-bridge
    list >"$stage/list"
    # Every check comes before the first change.
    while read -r mode source path; do
        [ "$mode" = link ] || [ -f "$source" ] || fail "$source is missing: run make build manuals first"
        is_free "$path" || is_as_installed "$path" ||
            fail "$destdir$path is not as this installed it, or not from this: move it away, or choose another PREFIX"
        if [ "$mode" = link ]; then link_line "$path" "$source"; else line "$path" "$source"; fi >>"$stage/files"
    done <"$stage/list"
    [ ! -f "$destdir$manifest" ] || cp "$destdir$manifest" "$stage/before"

    [ -z "$destdir" ] || mkdir -p "$destdir"
    while read -r _ _ path; do
        make_directory "$(dirname "$path")"
    done <"$stage/list"
    # The manifest first: a file is listed before it is in place, whatever interrupts this.
    cat "$stage/before" "$stage/made" "$stage/files" >"$destdir$manifest.new"
    mv -f "$destdir$manifest.new" "$destdir$manifest"
    while read -r mode source path; do
        # Renamed into place: a program that is running keeps its file.
        if [ "$mode" = link ]; then
            ln -sf "$source" "$destdir$path.new"
        else
            cp "$source" "$destdir$path.new"
            chmod "$mode" "$destdir$path.new"
        fi
        mv -f "$destdir$path.new" "$destdir$path"
    done <"$stage/list"
    # What another version installed and this one does not.
    paths "$stage/before" | while read -r path; do
        grep -q " $path\$" "$stage/list" || remove "$path"
    done
    { grep '^dir ' "$stage/before" || true; cat "$stage/made" "$stage/files"; } >"$destdir$manifest.new"
    mv -f "$destdir$manifest.new" "$destdir$manifest"
    echo "installed below $destdir$prefix: $(grep -c . "$stage/list") files, listed in $destdir$manifest"
}

# Removes a file if it is as it was installed.
remove() {
    if is_as_installed "$1"; then
        rm -f "$destdir$1"
    elif ! is_free "$1"; then
        echo "make $command: kept $destdir$1: it was changed since it was installed" >&2
    fi
}

uninstall_all() {
    [ -f "$destdir$manifest" ] ||
        fail "$destdir$manifest is missing: nothing is installed there (give PREFIX and DESTDIR as for make install)"
    cp "$destdir$manifest" "$stage/before"
    paths "$stage/before" | while read -r path; do
        remove "$path"
    done
    rm -f "$destdir$manifest"
    # Backwards, so that a directory comes before its parent. One that holds anything else stays.
    sed -n 's/^dir //p' "$stage/before" | sort -ru | while read -r directory; do
        rmdir "$destdir$directory" 2>/dev/null || true
    done
    echo "uninstalled from $destdir$prefix"
}

case $prefix in
    /*) ;;
    *) fail "PREFIX=$prefix: an absolute path expected" ;;
esac
case $prefix$destdir in
    *[!A-Za-z0-9._/+~@-]*) fail "PREFIX=$prefix DESTDIR=$destdir: only A-Z a-z 0-9 . _ / + ~ @ - expected" ;;
esac
prefix=${prefix%/}
manifest=$prefix/share/feed-ring/manifest
shared=libfeed_ring.so.$(sed -n 's/^#define FR_ABI_VERSION //p' bindings/c/include/feed_ring.h)
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
"${command}_all"
