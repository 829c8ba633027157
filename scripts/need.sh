# need COMMAND WHAT PACKAGE: COMMAND is there, or is installed from the Debian package PACKAGE where
# that is allowed, or it is said what is missing. An empty PACKAGE cannot be installed from here.
# shellcheck shell=bash
need() {
    local command=$1 what=$2 package=$3
    if command -v "$command" >/dev/null; then return; fi
    need_package "$what (the command '$command')" "$package"
}

# need_package WHAT PACKAGE: installs PACKAGE where that is allowed, or says that WHAT is missing.
need_package() {
    local what=$1 package=$2
    if [ -n "$package" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "installing $package" >&2
        DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$package" >&2 && return
        apt-get update >&2
        DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$package" >&2 && return
    fi
    echo "missing: $what${package:+, Debian package '$package'}" >&2
    exit 1
}

# What building the workspace needs.
need_build() {
    need cargo 'Rust 1.95 or later, by rustup' ''
    need cc 'a C compiler' build-essential
    need make 'make' make
    need pkg-config 'pkg-config' pkg-config
    if ! pkg-config --exists openssl; then
        need_package 'the headers of OpenSSL' libssl-dev
    fi
}
