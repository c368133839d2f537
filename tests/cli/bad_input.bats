#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Bad input of `upcall lab` and `upcall doctor`: its own status, one line, nothing left behind.
# No test here starts a machine.

load common

@test "no command" {
	refused 2 "what is to run" lab
}

@test "an unknown inner command" {
	refused 2 "nonsense" lab nonsense
}

@test "a lab in a lab" {
	refused 2 "lab is no command for the lab" lab lab doctor
}

@test "an unknown option of the lab" {
	refused 2 "unknown option --nope" lab --nope doctor
}

@test "an unknown option of the inner command, before any machine starts" {
	refused 2 "unknown option --nope" lab doctor --nope
}

@test "an option without its value" {
	refused 2 "--memory needs a value" lab --memory
	refused 2 "--file needs a value" lab --file= doctor
}

@test "malformed and absurd sizes" {
	for size in x 1Q -1 0 1M 99999999999999999999G 2048T; do
		refused 2 "--memory $size: give a size" lab --memory "$size" doctor
	done
}

@test "malformed and absurd numbers of CPUs" {
	for n in 0 65 -1 two 1.5; do
		refused 2 "--cpus $n: give a whole number" lab --cpus "$n" doctor
	done
}

@test "--shell with a command" {
	refused 2 "--shell takes no command" lab --shell doctor
}

@test "a missing file" {
	refused 2 "/nonexistent: No such file" lab --file /nonexistent doctor
}

@test "a directory for a file" {
	refused 2 "/etc: the lab carries regular files" lab --file /etc doctor
}

@test "an unreadable file" {
	[ "$(id -u)" -ne 0 ] || skip "root reads everything"
	touch secret && chmod 0 secret
	refused 2 "secret: Permission denied" lab --file secret doctor
}

@test "a log that cannot be written" {
	use_real_kernels
	refused 2 "--keep-log /nonexistent/log: No such file" lab --keep-log /nonexistent/log doctor
}

@test "no qemu" {
	UPCALL_QEMU=/nonexistent refused 30 "apt-get install qemu-system-x86" lab doctor
	PATH=/nonexistent refused_without_path
}

refused_without_path() { # the assertions need PATH themselves
	local status=0
	"$UPCALL" lab doctor >"$out" 2>"$err" || status=$?
	PATH=/usr/bin:/bin
	[ "$status" -eq 30 ] && [ "$(wc -l <"$err")" -eq 1 ] && leaves_nothing
}

@test "no busybox" {
	UPCALL_BUSYBOX=/nonexistent refused 30 "apt-get install busybox-static" lab doctor
}

@test "a qemu that does not start" {
	use_real_kernels
	UPCALL_QEMU=/bin/false refused 30 "the lab does not start" lab doctor
}

@test "no network and no cached kernel" {
	no_such_archive
	refused 31 "cannot download linux-image-6.12-cloud-amd64" lab doctor
}

@test "a cache that cannot be written" {
	UPCALL_CACHE=/proc/nonexistent
	no_such_archive
	run_upcall lab doctor
	[ "$status" -eq 31 ]
	[ "$(wc -l <"$err")" -eq 1 ]
	grep -q "set UPCALL_CACHE" "$err"
}

@test "fetch: an unknown version" {
	run bash "$fetch" 5.10
	[ "$status" -eq 2 ]
	[ "${#lines[@]}" -eq 1 ]
}

run_fetch() { # sets $status; stdout and stderr to files
	status=0
	bash "$fetch" "$@" >"$out" 2>"$err" || status=$?
	echo "status $status, stdout: $(cat "$out"), stderr: $(cat "$err")"
}

fetch_refused() { # fetch_refused STATUS TEXT WHAT: one line, and the cache is as it was
	run_fetch "$3"
	[ "$status" -eq "$1" ] && [ "$(wc -l <"$out")" -eq 1 ] && grep -qF -- "$2" "$out" &&
		[ ! -e "$UPCALL_CACHE/$3" ] && leaves_nothing
}

# An archive with a QEMU that is a shell script, read from stdin.
fake_archive() {
	mkdir -p deb/DEBIAN deb/usr/bin deb/usr/share/qemu deb/usr/share/seabios
	{ echo '#!/bin/sh'; cat; } >deb/usr/bin/qemu-system-x86_64
	chmod +x deb/usr/bin/qemu-system-x86_64
	touch deb/usr/share/qemu/pvh.bin deb/usr/share/seabios/bios-256k.bin
	printf 'Package: x\nVersion: 1\nArchitecture: all\nMaintainer: x\nDescription: x\n' >deb/DEBIAN/control
	dpkg-deb -b deb "$BATS_TEST_TMPDIR/x.deb" >/dev/null
	put_program apt-get <<-EOF
		case "\$*" in
		*indextargets*) echo http://mirror.invalid/debian/ ;;
		*download*) cp "$BATS_TEST_TMPDIR/x.deb" . && grep -hs "^deb" ../.fetch.*/sources.list >"$BATS_TEST_TMPDIR/asked" ;;
		esac
	EOF
}

@test "fetch: QEMU comes whole, from the backports of the machine's own mirror, and once" {
	fake_archive <<<'echo "QEMU emulator version 9.9.1 (x)"'
	run_fetch qemu
	[ "$status" -eq 0 ]
	[ ! -s "$out" ]
	grep -qx "deb http://mirror.invalid/debian/ bookworm-backports main" asked
	[ "$(cat "$UPCALL_CACHE/qemu/release")" = 9.9.1 ]
	[ -x "$UPCALL_CACHE/qemu/qemu-system-x86_64" ]
	[ -e "$UPCALL_CACHE/qemu/share/pvh.bin" ]
	[ -e "$UPCALL_CACHE/qemu/share/bios-256k.bin" ]
	leaves_nothing
	put_program apt-get <<<'echo called; exit 1'
	run_fetch qemu
	[ "$status" -eq 0 ]
	[ ! -s "$out" ] && [ ! -s "$err" ]
}

@test "fetch: a QEMU whose libraries are missing, one that does not run" {
	fake_archive <<<'exit 1'
	fetch_refused 30 "does not run on this machine" qemu
	put_program ldd <<<'printf "\tlibc.so.6 => /lib/libc.so.6\n\tlibx.so.1 => not found\n"'
	fetch_refused 30 "needs libx.so.1 here; apt-get install qemu-system-x86" qemu
}

@test "fetch: no network for QEMU, a broken package" {
	no_such_archive
	fetch_refused 31 "cannot download qemu-system-x86" qemu
	fake_archive </dev/null
	echo broken >x.deb
	fetch_refused 31 "cannot unpack QEMU" qemu
}

old_qemu() { # the system's: says that it is old, and does not start
	put_program qemu-system-x86_64 <<<'[ "$1" = --version ] && echo "QEMU emulator version 7.2.22 (x)"'
}

@test "more than one CPU, any QEMU and no network for the repaired one: a line that says why" {
	use_real_kernels
	old_qemu
	no_such_archive
	run_upcall lab --cpus 2 doctor
	[ "$status" -eq 30 ]
	[ "$(wc -l <"$err")" -eq 2 ]
	sed -n 1p "$err" | grep -q "QEMU 7.2.22 is unreliable with more than one CPU, and cannot download"
	sed -n 2p "$err" | grep -q "the lab does not start"
	leaves_nothing
}

@test "a QEMU that was asked for, a number of CPUs that was asked for" {
	use_real_kernels
	old_qemu
	export UPCALL_QEMU=$BATS_TEST_TMPDIR/bin/qemu-system-x86_64
	run_upcall lab --cpus 2 doctor
	[ "$(sed -n 1p "$err")" = "upcall lab: QEMU 7.2.22 is unreliable with more than one CPU" ]
	refused 30 "the lab does not start" lab doctor
}

@test "doctor: which QEMU, and how good it is" {
	put_program qemu-system-x86_64 <<<'echo "QEMU emulator version 8.1.0 (x)"'
	run_upcall doctor
	grep -q "^  lab: qemu  *$BATS_TEST_TMPDIR/bin/qemu-system-x86_64 (8.1.0): good for one CPU; a better one will be downloaded" "$out"
	fake_archive <<<'echo "QEMU emulator version 9.9.1 (x)"'
	run_fetch qemu
	cp "$UPCALL_CACHE/qemu/qemu-system-x86_64" "$UPCALL_CACHE/qemu/qemu-system-x86_64.repaired"
	run_upcall doctor
	grep -q "^  lab: qemu  *$UPCALL_CACHE/qemu/qemu-system-x86_64.repaired (9.9.1)$" "$out"
}

@test "doctor: a stray word, an unknown option" {
	refused 2 "unexpected argument x" doctor x
	refused 2 "unknown option --x" doctor --x
}

@test "doctor: says what is missing and what will be used" {
	UPCALL_QEMU=/nonexistent run_upcall doctor
	grep -q "^! lab: qemu *missing; apt-get install qemu-system-x86$" "$out" ||
		grep -q "will be used *native" "$out"
	[ ! -s "$err" ]
}

@test "doctor: its status is that of upcall run where nothing can run guests" {
	run_upcall doctor
	! grep -q "will be used *native" "$out" || skip "this machine runs guests natively"
	[ "$status" -eq 0 ]
	UPCALL_QEMU=/nonexistent run_upcall doctor
	[ "$status" -eq 23 ] || [ "$status" -eq 24 ]
	grep -q "will be used *none" "$out"
}

@test "doctor: --json is JSON and says the same" {
	run_upcall doctor --json
	[ "$status" -eq 0 ]
	use=$(python3 -c 'import json, sys; print(json.load(sys.stdin)["use"])' <"$out" 2>/dev/null) ||
		use=$(sed -n 's/^  "use": "\(.*\)",$/\1/p' "$out")
	run_upcall doctor
	grep -q "will be used *$use:" "$out"
}
