#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# `upcall ctl` and `upcall list` as a person meets them. The machines here have the real control
# socket but no guest (tests/unit/ctl/ctl_machine.c, $UPCALL_CTL_MACHINE).

load common

setup() {
	mkdir -p "$BATS_TEST_TMPDIR/tmp" "$BATS_TEST_TMPDIR/cache"
	export TMPDIR=$BATS_TEST_TMPDIR/tmp UPCALL_CACHE=$BATS_TEST_TMPDIR/cache
	# Short, for a socket's path.
	XDG_RUNTIME_DIR=$(mktemp -d /tmp/uc-XXXXXX)
	export XDG_RUNTIME_DIR
	cd "$BATS_TEST_TMPDIR"
	err=$BATS_TEST_TMPDIR/stderr out=$BATS_TEST_TMPDIR/stdout
	pids=()
}

teardown() {
	local pid
	for pid in "${pids[@]}"; do kill -9 "$pid" 2>/dev/null && wait "$pid" || true; done
	rm -rf "$XDG_RUNTIME_DIR"
}

# start [NAME]: sets $pid; returns when it listens.
start() {
	mkfifo said
	"$UPCALL_CTL_MACHINE" "$@" >said 3>&- &
	pid=$!
	pids+=("$pid")
	read -r _ <said
	rm said
}

# says TEXT: that line is in the output, blanks counted once.
says() {
	tr -s ' ' <"$out" | grep -qxF -- "$1" || { cat "$out"; return 1; }
}

json() { # json EXPRESSION: of the output, as `j`
	python3 -c 'import json, sys; j = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$out" "$1"
}

@test "ctl: a missing name or op" {
	refused 2 "give a machine's name and an op" ctl
	refused 2 "give a machine's name and an op" ctl m
}

@test "ctl: options after the name, unknown options" {
	refused 2 "--json: give options before" ctl m --json
	refused 2 "options before the machine's name" ctl m status --json
	refused 2 "unknown option --nope" ctl --nope m status
}

@test "ctl: malformed arguments" {
	refused 2 "KEY=VALUE" ctl m ports from
	refused 2 "KEY=VALUE" ctl m ports =1
	refused 2 "from is given twice" ctl m ports from=1 from=2
	refused 2 "the op is given twice" ctl m ports op=quit
	refused 2 "not UTF-8" ctl m ports from=$'\xff'
	refused 2 "not UTF-8" ctl m ports $'\xff'=1
	refused 2 "not UTF-8" ctl m $'\xff'
}

@test "ctl: what is no name" {
	for name in . .. ../m /m a/b 'a b' "$(printf 'x%.0s' {1..65})"; do
		refused 2 "no machine's name" ctl "$name" status
	done
}

@test "ctl: no machine at all" {
	refused 40 "no machine named m is running; there is none" ctl m status
}

@test "ctl: another name: says which there are" {
	start a
	start b
	refused 40 "no machine named m is running; there are: a b" ctl m status
}

@test "ctl: status, readable" {
	start m
	run_upcall ctl m status
	[ "$status" -eq 0 ]
	[ ! -s "$err" ]
	says "name: m"
	says "pid: $pid"
	says "vcpus: 2"
	says "memory_mib: 512"
	says "abi: 2-level"
	says "upcalls: 0 0"
	says "delivered: 0 0"
	says "net: -"
	# Aligned: all values start in one column.
	[ "$(sed -nE 's/^([a-z][^:]*: +).*/\1/p' "$out" | awk '{ print length }' | sort -u | wc -l)" -eq 1 ]
}

@test "ctl: --json" {
	start m
	run_upcall ctl --json m status
	[ "$status" -eq 0 ]
	[ "$(json 'j["name"], j["pid"], j["upcalls"], j["kernel"]')" = "('m', $pid, [0, 0], None)" ]
}

@test "ctl: ports are a table" {
	start m
	run_upcall ctl m ports count=2
	[ "$status" -eq 0 ]
	says "next: 3"
	grep -qE '^port +kind +index +vcpu +priority +events +pending +masked$' "$out"
	grep -qE '^ +1 +ipi +[0-9]+ +1 ' "$out"
	[ "$(wc -l <"$out")" -eq 6 ]
	run_upcall ctl m ports from=3
	[ -z "$(grep next "$out")" ]
	[ "$(wc -l <"$out")" -eq 5 ]
}

@test "ctl: numbers and booleans are sent as such, all else as strings" {
	start m
	refused 40 "m: from: give a whole number" ctl m ports from=true
	refused 40 "m: from: give a whole number" ctl m ports from=1.5
	refused 40 "m: from: give a whole number" ctl m ports from=1,2
	refused 40 "m: from: give a whole number" ctl m ports "from= 1"
	refused 40 "m: from: give a whole number" ctl m ports "from=1 "
	refused 40 "m: from: give a whole number" ctl m ports from=
	refused 40 "m: from: give a whole number" ctl m ports from=99999999999999999999
}

@test "ctl: what the machine refuses is one line" {
	start m
	refused 40 "m: no such op; there are status ports" ctl m nope
	refused 40 "m: status takes no arguments" ctl m status x=1
}

@test "ctl: a request that is too long" {
	start m
	refused 2 "longer than 65536 bytes" ctl m status "x=$(printf 'x%.0s' {1..65536})"
}

@test "ctl: quit ends it, and nothing is left" {
	start m
	run_upcall ctl m quit
	[ "$status" -eq 0 ]
	[ ! -s "$err" ]
	wait "$pid"
	[ -z "$(ls -A "$XDG_RUNTIME_DIR/upcall")" ]
	refused 40 "there is none" ctl m status
}

@test "ctl: SIGTERM ends it, and nothing is left" {
	start m
	kill "$pid"
	wait "$pid"
	[ -z "$(ls -A "$XDG_RUNTIME_DIR/upcall")" ]
}

@test "ctl: a killed machine's socket is not a machine, and gives way" {
	start m
	kill -9 "$pid"
	wait "$pid" || true
	[ -S "$XDG_RUNTIME_DIR/upcall/m.sock" ]
	refused 40 "no machine named m is running; there is none" ctl m status
	start m
	run_upcall ctl m status
	says "pid: $pid"
}

@test "run: a name that is taken, a name that is none" {
	start m
	refused 2 "a machine named m is running already" run --kernel /dev/null --name m
	refused 2 "a machine's name is" run --kernel /dev/null --name a/b
	run_upcall ctl m status
	says "pid: $pid"
}

@test "run: a machine that does not come up leaves no socket" {
	run_upcall run --kernel /dev/null --name m
	[ "$status" -eq 21 ]
	[ -z "$(ls -A "$XDG_RUNTIME_DIR/upcall")" ]
}

@test "machines without a name" {
	start
	start
	run_upcall list --json
	[ "$(json '[m["name"] for m in j]')" = "['guest', 'guest-2']" ]
}

# fake REPLY: something that listens as `m`, reads one request, says REPLY and hangs up.
fake() {
	mkdir -m 700 "$XDG_RUNTIME_DIR/upcall"
	mkfifo said
	python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen()
print("ready", flush=True)
while True:
    c, _ = s.accept()
    if c.recv(65536):
        c.sendall(sys.argv[2].encode().decode("unicode_escape").encode("latin-1"))
    c.close()' "$XDG_RUNTIME_DIR/upcall/m.sock" "$1" >said 3>&- &
	pids+=("$!")
	read -r _ <said
	rm said
}

@test "ctl: a machine that ends before it answers" {
	fake ''
	refused 40 "m ended before it answered" ctl m status
}

@test "ctl: a machine that ends in the middle of its answer" {
	fake '{"ok":true,"resu'
	refused 40 "m ended before it answered" ctl m status
}

@test "ctl: an answer that is none" {
	for answer in 'x' '[]' '{}' '{"ok":true}' '{"ok":1,"result":{}}'; do
		rm -rf "$XDG_RUNTIME_DIR/upcall"
		fake "$answer\\n"
		refused 40 "m: an answer that is none" ctl m status
	done
}

@test "ctl: an error's text stays on one line of the terminal" {
	fake '{"ok":false,"error":"a\\nb\\u001b[2Jc","errno":"EPERM"}\n'
	refused 40 "m: a b [2Jc" ctl m status
}

@test "ctl: a directory that others may enter is not trusted" {
	mkdir -m 755 "$XDG_RUNTIME_DIR/upcall"
	refused 40 "chmod 700" ctl m status
	refused 40 "chmod 700" list
}

@test "ctl: a directory of another user is not trusted" {
	[ "$(id -u)" -eq 0 ] || skip "only root can give a directory away"
	mkdir -m 700 "$XDG_RUNTIME_DIR/upcall"
	chown 65534 "$XDG_RUNTIME_DIR/upcall"
	refused 40 "belongs to another user" ctl m status
}

@test "list: none, some, and not the dead" {
	run_upcall list
	[ "$status" -eq 0 ]
	says "no machine is running"
	run_upcall list --json
	[ "$status" -eq 0 ]
	[ "$(cat "$out")" = "[]" ]
	start b
	start a
	kill -9 "$pid"
	wait "$pid" || true
	start c
	run_upcall list
	[ "$status" -eq 0 ]
	[ ! -s "$err" ]
	tr -s ' ' <"$out" | head -1 | grep -qx "name pid vcpus memory uptime"
	[ "$(awk 'NR > 1 { print $1 }' "$out" | xargs)" = "b c" ]
	grep -qE " 2  512 MiB  00:00:0[0-9]$" "$out"
	run_upcall list --json
	[ "$(json '[(m["name"], m["vcpus"], m["memory_mib"]) for m in j]')" = "[('b', 2, 512), ('c', 2, 512)]" ]
}

@test "list: a stray word" {
	refused 2 "unexpected argument x" list x
}

@test "output that cannot be written" {
	start m
	status=0
	"$UPCALL" ctl m status >/dev/full 2>"$err" || status=$?
	[ "$status" -eq 20 ]
	[ "$(wc -l <"$err")" -eq 1 ]
}
