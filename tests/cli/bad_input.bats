#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Bad input of `upcall lab` and `upcall doctor`: its own status, one line, nothing left behind.
# No test here starts a machine.

load common

no_such_archive() { # apt finds no package anywhere
	mkdir -p "$BATS_TEST_TMPDIR/empty"
	export APT_CONFIG=$BATS_TEST_TMPDIR/apt.conf
	cat >"$APT_CONFIG" <<-EOF
		Dir::Etc::sourcelist "/dev/null";
		Dir::Etc::sourceparts "$BATS_TEST_TMPDIR/empty";
		Dir::State::lists "$BATS_TEST_TMPDIR/empty";
	EOF
}

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
	run bash "$BATS_TEST_DIRNAME/../../lab/fetch" 5.10
	[ "$status" -eq 2 ]
	[ "${#lines[@]}" -eq 1 ]
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
