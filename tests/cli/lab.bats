#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What `upcall lab` promises, on real machines. Several promises share a machine where they can,
# because each start costs 4 s.

load common

setup_file() {
	command -v "${UPCALL_QEMU:-qemu-system-x86_64}" >/dev/null || skip "no qemu-system-x86_64"
}

eval "$(declare -f setup | sed 's/^setup /common_setup /')"
setup() {
	common_setup
	use_real_kernels
	use_real_qemu
	# The archive of this binary is made once for all tests.
	cp -al "$BATS_FILE_TMPDIR"/lab-* "$UPCALL_CACHE" 2>/dev/null || true
}

teardown() {
	cp -aln "$UPCALL_CACHE"/lab-* "$BATS_FILE_TMPDIR" 2>/dev/null || true
}

@test "an upcall command runs inside, where KVM can run guests" {
	run_upcall lab doctor
	[ "$status" -eq 0 ]
	grep -q "KVM_CAP_XEN_HVM  *0x1ff" "$out"
	grep -q "will be used *native" "$out"
	[ ! -s "$err" ]
	leaves_nothing
}

@test "stdout and stderr stay apart, statuses are exact" {
	for want in 0 1 10 255; do
		run_upcall lab --exec sh -c "echo out; echo err >&2; exit $want" </dev/null
		[ "$status" -eq "$want" ]
		[ "$(cat "$out")" = out ]
		[ "$(cat "$err")" = err ]
	done
	leaves_nothing
}

@test "a command killed by a signal ends with 128 + its number; one that is not there with 127" {
	run_upcall lab --exec sh -c 'kill -TERM $$'
	[ "$status" -eq 143 ]
	run_upcall lab --exec /no/such/program
	[ "$status" -eq 127 ]
	[ "$(wc -l <"$err")" -eq 1 ]
}

@test "100 MB through stdout arrive unchanged" {
	want=$(head -c 100000000 /dev/zero | tr '\0' x | md5sum)
	got=$("$UPCALL" lab --exec sh -c 'head -c 100000000 /dev/zero | tr "\0" x' | md5sum)
	[ "$got" = "$want" ]
}

@test "random bytes through stdin and back, ending with its end" {
	head -c 20000001 /dev/urandom >bytes
	"$UPCALL" lab --exec cat <bytes >"$out"
	cmp bytes "$out"
	leaves_nothing
}

@test "a closed and an empty stdin are an end at once" {
	run_upcall lab --exec wc -c </dev/null
	[ "$(cat "$out")" = 0 ]
	run_upcall lab --exec wc -c <&-
	[ "$(cat "$out")" = 0 ]
}

@test "stdin is interactive: an answer comes before the end" {
	mkfifo in
	"$UPCALL" lab --exec sh -c 'while read line; do echo "got $line"; done' <in >"$out" &
	lab=$!
	exec 7>in
	echo first >&7
	for _ in $(seq 300); do
		! grep -q "got first" "$out" || break
		sleep 0.1
	done
	grep -q "got first" "$out"
	echo second >&7
	exec 7>&-
	wait $lab
	[ "$(cat "$out")" = $'got first\ngot second' ]
}

@test "the shell takes its commands from a pipe" {
	printf 'echo hello\nls /dev/kvm\nexit 7\n' >script
	status=0
	"$UPCALL" lab --shell <script >"$out" 2>"$err" || status=$?
	[ "$status" -eq 7 ]
	[ "$(cat "$out")" = $'hello\n/dev/kvm' ]
}

@test "files are carried under the same path, relative and absolute, whatever is in them" {
	mkdir -p sub/dir
	head -c 3000001 /dev/urandom >"sub/dir/a file"
	: >empty
	printf '#!/bin/sh\nmd5sum "$@"\n' >run.sh
	chmod +x run.sh
	run_upcall lab --file "sub/dir/a file" --file "$PWD/empty" --file run.sh \
		--exec ./run.sh "sub/dir/a file" "$PWD/empty"
	md5sum "sub/dir/a file" "$PWD/empty" | cmp - "$out"
}

@test "a reader that goes away ends the command" {
	SECONDS=0
	[ "$("$UPCALL" lab --exec yes | head -n 1)" = y ]
	[ "$SECONDS" -lt 30 ]
	for _ in $(seq 50); do
		! pgrep -f "$UPCALL_CACHE" || sleep 0.1
	done
	leaves_nothing
}

@test "SIGTERM and SIGINT end the machine and leave nothing" {
	for sig in TERM INT; do
		# Through env: a shell starts background jobs with SIGINT ignored.
		env --default-signal=INT "$UPCALL" lab --exec sh -c 'echo up; sleep 100' >"$out" &
		lab=$!
		for _ in $(seq 300); do
			! grep -q up "$out" || break
			sleep 0.1
		done
		kill -$sig $lab
		status=0
		wait $lab || status=$?
		[ "$status" -eq $((128 + $(kill -l $sig))) ]
		leaves_nothing
		: >"$out"
	done
}

@test "SIGKILL of the supervisor takes the machine along" {
	"$UPCALL" lab --exec sh -c 'echo up; sleep 100' >"$out" &
	lab=$!
	for _ in $(seq 300); do
		! grep -q up "$out" || break
		sleep 0.1
	done
	pgrep -f "$UPCALL_CACHE"
	kill -KILL $lab
	wait $lab || true
	for _ in $(seq 50); do
		! pgrep -f "$UPCALL_CACHE" || sleep 0.1
	done
	leaves_nothing
}

@test "a dead lab kernel is status 32, one line, and in the log" {
	run_upcall lab --keep-log log --exec sh -c 'echo c >/proc/sysrq-trigger; sleep 100'
	[ "$status" -eq 32 ]
	[ "$(wc -l <"$err")" -eq 1 ]
	grep -q "the lab's own kernel died" "$err"
	grep -q "Kernel panic" log
	leaves_nothing
}

@test "what only prints a panic on its own console is no dead lab" {
	run_upcall lab --exec sh -c 'echo "[ 1.0] Kernel panic - not syncing: x"; echo "Oops: 0" >&2'
	[ "$status" -eq 0 ]
}

@test "two labs at once, from an empty cache" {
	rm -f "$UPCALL_CACHE"/lab-*
	"$UPCALL" lab --exec echo one >one &
	first=$!
	"$UPCALL" lab --exec echo two >two
	wait $first
	[ "$(cat one two)" = $'one\ntwo' ]
	[ "$(ls "$UPCALL_CACHE" | grep -c '^lab-')" -eq 1 ]
	leaves_nothing
}

@test "a QEMU that was asked for gets one CPU, or what was asked for and a warning" {
	real=$("$UPCALL" doctor | sed -n 's/^  lab: qemu  *\(.*\) (.*/\1/p')
	put_program old <<-EOF
		[ "\$1" != --version ] || { echo "QEMU emulator version 8.0.5 (x)"; exit; }
		exec "$real" -L "$UPCALL_CACHE/qemu/share" "\$@"
	EOF
	export UPCALL_QEMU=$BATS_TEST_TMPDIR/bin/old
	run_upcall lab --exec nproc
	[ "$(cat "$out")" -eq 1 ]
	[ ! -s "$err" ]
	run_upcall lab --cpus 2 --exec nproc
	[ "$(cat "$out")" -eq 2 ]
	[ "$(cat "$err")" = "upcall lab: QEMU 8.0.5 is unreliable with more than one CPU" ]
}

@test "--cpus and --memory are what the machine has" {
	run_upcall lab --cpus 3 --memory 1G --exec sh -c 'nproc; free -m | sed -n "s/^Mem: *\([0-9]*\).*/\1/p"'
	[ "$(head -n 1 "$out")" -eq 3 ]
	[ "$(tail -n 1 "$out")" -gt 800 ] && [ "$(tail -n 1 "$out")" -le 1024 ]
}

@test "files that do not fit the lab's memory are said so" {
	head -c 600000000 /dev/zero >big
	run_upcall lab --memory 512M --file big --exec true
	[ "$status" -ne 0 ]
	[ "$(wc -l <"$err")" -eq 1 ]
	leaves_nothing
}

@test "a terminal in, a terminal inside, and it is given back as it was" {
	command -v script >/dev/null || skip "no script(1)"
	cat >on_tty <<-EOF
		before=\$(stty -g)
		stty rows 33 cols 99
		"$UPCALL" lab --exec sh -c 'tty >/dev/null && stty size; exit 5'
		echo "status \$?"
		stty rows 0 cols 0
		[ "\$(stty -g)" = "\$before" ] && echo restored
	EOF
	script -qec "bash on_tty" /dev/null </dev/null >"$out"
	cat "$out"
	grep -q "33 99" "$out"
	grep -q "^status 5" "$out"
	grep -q "^restored" "$out"
}
