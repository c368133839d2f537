# SPDX-License-Identifier: MIT
# Shared by the bats files. $UPCALL is the binary under test. Each test has its own temporary
# directory and its own cache (the kernels in it are links to the real ones), so that what it left
# behind can be told from what others use.

real_cache=${UPCALL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/upcall}

setup() {
	export TMPDIR=$BATS_TEST_TMPDIR/tmp UPCALL_CACHE=$BATS_TEST_TMPDIR/cache
	mkdir -p "$TMPDIR" "$UPCALL_CACHE"
	cd "$BATS_TEST_TMPDIR"
	err=$BATS_TEST_TMPDIR/stderr out=$BATS_TEST_TMPDIR/stdout
}

fetch=$BATS_TEST_DIRNAME/../../lab/fetch

use_real() { # use_real WHAT DIRECTORY
	[ -e "$real_cache/$2/release" ] || UPCALL_CACHE=$real_cache bash "$fetch" "$1" ||
		skip "cannot be downloaded here: $1"
	ln -s "$real_cache/$2" "$UPCALL_CACHE/$2"
}

use_real_kernels() {
	use_real 6.12 kernel-6.12
}

use_real_qemu() {
	use_real qemu qemu
}

no_such_archive() { # apt finds no package anywhere
	mkdir -p "$BATS_TEST_TMPDIR/empty"
	export APT_CONFIG=$BATS_TEST_TMPDIR/apt.conf
	cat >"$APT_CONFIG" <<-EOF
		Dir::Etc::sourcelist "/dev/null";
		Dir::Etc::sourceparts "$BATS_TEST_TMPDIR/empty";
		Dir::State::lists "$BATS_TEST_TMPDIR/empty";
	EOF
}

put_program() { # put_program NAME: stdin is a shell script, which comes first in PATH
	mkdir -p "$BATS_TEST_TMPDIR/bin"
	{ echo '#!/bin/sh'; cat; } >"$BATS_TEST_TMPDIR/bin/$1"
	chmod +x "$BATS_TEST_TMPDIR/bin/$1"
	PATH=$BATS_TEST_TMPDIR/bin:${PATH#"$BATS_TEST_TMPDIR/bin:"}
}

# No process that was started with this test's cache (QEMU names its kernel), no temporary file.
leaves_nothing() {
	! pgrep -f "$UPCALL_CACHE" || return 1
	[ -z "$(ls -A "$TMPDIR")" ] || { ls -A "$TMPDIR"; return 1; }
	[ -z "$(find "$UPCALL_CACHE" -name '.fetch.??????')" ]
}

# run_command ARG...: sets $status; stdout and stderr to files.
run_upcall() {
	status=0
	"$UPCALL" "$@" >"$out" 2>"$err" || status=$?
}

# refused STATUS TEXT ARG...: that status, exactly one line on stderr, which holds TEXT.
refused() {
	local want=$1 text=$2
	shift 2
	run_upcall "$@" </dev/null
	echo "status $status, stderr: $(cat "$err")"
	[ "$status" -eq "$want" ]
	[ "$(wc -l <"$err")" -eq 1 ]
	[ "$(wc -c <"$out")" -eq 0 ]
	grep -qF -- "$text" "$err"
	leaves_nothing
}
