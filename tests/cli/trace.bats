#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# `upcall trace` and `upcall run --trace`: bad input, and what is shown of a small trace that
# $UPCALL_MAKE_TRACE records. Nothing here starts a machine.

load common

sample() {
	"$UPCALL_MAKE_TRACE" "$BATS_TEST_TMPDIR/sample"
}

has() { # has EXPRESSION: in the last command's output
	grep -qE -- "$1" "$out" || { echo "no $1 in:"; cat "$out"; return 1; }
}

@test "no file, and no trace" {
	refused 2 "give the FILE" trace
	refused 2 "/no/such: No such file" trace /no/such
	refused 2 "is no trace" trace /bin/sh
	refused 2 "is no trace" trace /
	refused 2 "is no trace" trace /dev/zero
}

@test "a trace that was cut short" {
	sample
	head -c 5000 sample >cut
	refused 2 "cut short" trace cut
}

@test "bad options, before and behind the file" {
	sample
	refused 2 "unknown option --nope" trace --nope sample
	refused 2 "unknown option --nope" trace sample --nope
	refused 2 "unexpected argument more" trace sample more
	refused 2 "--port 0" trace sample --port 0
	refused 2 "--slowest -1" trace --slowest -1 sample
}

@test "run --trace into what is no file" {
	refused 2 "--trace /dev/null" run --kernel /bin/sh --trace /dev/null
	refused 2 "--trace /no/such/place" run --kernel /bin/sh --trace /no/such/place
}

@test "a machine that does not start leaves no trace" {
	refused 21 "" run --kernel /bin/sh --trace t
	[ ! -e t ]
}

@test "requests, stages and records are counted" {
	sample
	run_upcall trace sample
	[ "$status" -eq 0 ]
	has '^sample, 4 vCPUs: 29 records'
	has '^requests: 2 answered, 1 unanswered, 0 ambiguous$'
	for stage in read kick guest pickup answer write whole; do
		has "^$stage +2 "
	done
	has '^  hand-over +1$'
	has '^  tap-read +3$'
}

@test "the slowest request is told step by step" {
	sample
	run_upcall trace sample --slowest 1
	has '^slowest 1, '
	[ "$(grep -c '^slowest ' "$out")" -eq 1 ]
	has 'raise +port 10; vCPUs RPH-$'
	has 'raised +port 10, for vCPU 1$'
	has 'kick +vCPU 1, preempted$'
	has 'hand-over +1 events from vCPU 1 to vCPU 0$'
	has 'send +port 11, by vCPU 0$'
	has 'vCPU 0: seen running 2, halted 0, preempted 0 times; 1 exits'
	has 'vCPU 1: seen running 0, halted 0, preempted 2 times; 0 exits'
	has 'the watcher looked 1 times; 2[0-9]{4}\.. µs at most before a look'
}

@test "only a port's requests" {
	sample
	run_upcall trace sample --port 10
	has '^requests: 2 answered'
	run_upcall trace --port 12 sample
	has '^requests: 0 answered, 0 unanswered, 0 ambiguous$'
	has '^whole +0 +- '
}

@test "the same as JSON" {
	sample
	run_upcall trace sample --json
	[ "$status" -eq 0 ]
	python3 - "$out" <<-'END'
		import json, sys
		r = json.load(open(sys.argv[1]))
		assert r["requests"] == {"answered": 2, "unanswered": 1, "ambiguous": 0}, r["requests"]
		whole = [s for s in r["stages"] if s["stage"] == "whole"][0]
		assert whole["n"] == 2 and whole["max_us"] >= 20000 > whole["min_us"], whole
		assert whole["p50_us"] == whole["min_us"] and whole["p99_us"] == whole["max_us"], whole
		assert sum(b["n"] for b in whole["histogram"]) == 2
		for b in whole["histogram"]:
		    assert any(b["below_us"] / 2 <= us < b["below_us"] for us in (whole["min_us"], whole["max_us"]))
		slowest = r["slowest"]
		assert [s["stages_us"]["whole"] for s in slowest] == [whole["max_us"], whole["min_us"]]
		assert [e["event"] for e in slowest[0]["events"]] == ["tap-read", "rx-filled", "raise", "kick",
		    "raised", "kick", "hand-over", "send", "tx-taken", "tap-write"]
		assert r["counts"]["enter"] == r["counts"]["exit"] == 2
	END
}
