#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# `upcall capacity`: the draft's example, rows for what is asked, bad input. The sums are in tests/unit/cli.

load common

row() { # row KEY=VALUE...: the only row of the JSON has these
	python3 - "$out" "$@" <<-'END'
		import json, sys
		rows = json.load(open(sys.argv[1]))
		assert len(rows) == 1, rows
		for pair in sys.argv[2:]:
		    key, value = pair.split("=")
		    assert str(rows[0][key]) == value, (key, rows[0])
	END
}

@test "without options: the draft's example, and neighbours of it" {
	run_upcall capacity
	[ "$status" -eq 0 ] && [ ! -s "$err" ]
	[ "$(wc -l <"$out")" -eq 5 ]
	# Half of 1 GiB for event array pages, 64 events: 131072 / (1 + 64 / 1024).
	awk 'NR == 2 { exit !($1 == 512 && $2 == 1 && $3 == 64 && $4 == 123361) }' "$out"
}

@test "a row for each combination" {
	run_upcall capacity --memory 1G,2G --vcpus 1,2,4 --events 100,200
	[ "$status" -eq 0 ]
	[ "$(wc -l <"$out")" -eq 13 ]
	[ "$(awk 'NR > 1 { print $1, $2, $3 }' "$out" | sort -u | wc -l)" -eq 12 ]
}

@test "JSON has bytes, and the same numbers" {
	run_upcall capacity --json --events 64 --vcpus 1 --domains 1000 --memory 512
	[ "$status" -eq 0 ]
	row memory_bytes=536870912 draft_fit=123361 domains=1000 drivers=1 ports=128000 draft_bytes=4354048
}

@test "what ends it first" {
	run_upcall capacity --json --events 64 --vcpus 1 --memory 1T
	row limit=ids fit=32735 drivers=16
	run_upcall capacity --json --events 64 --vcpus 1 --memory 1T --host-back-ends
	row limit=ids fit=32751 drivers=0
	run_upcall capacity --json --events 64 --vcpus 1 --memory 1M
	row limit=memory
}

@test "malformed and absurd values" {
	for n in 0 -1 x 1.5 131072 99999999999999999999 "1,,2" "1," ",1" "1 2"; do
		refused 2 "--events $n: give up to 16 whole numbers from 1 to 131071" capacity --events "$n"
	done
	refused 2 "--events needs a value" capacity --events ""
	refused 2 "--vcpus 32769: give up to 16 whole numbers from 1 to 32768" capacity --vcpus 32769
	refused 2 "--domains 32752: give up to 16 whole numbers from 1 to 32751" capacity --domains 32752
	for size in 0 x 1Q 1M,x 1023K 2048T; do
		refused 2 "--memory $size: give up to 16 sizes from 1M to 1073741824M" capacity --memory "$size"
	done
	refused 2 "--vcpus 1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7,8: give up to 16" capacity --vcpus 1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7,8
}

@test "bad options and words" {
	refused 2 "unknown option --nope" capacity --nope
	refused 2 "unexpected argument more" capacity more
	refused 2 "--json takes no value" capacity --json=1
}

@test "the largest values that are allowed" {
	run_upcall capacity --json --memory 1048576G --vcpus 32768 --events 131071 --domains 32751
	[ "$status" -eq 0 ]
	row domains=32751 drivers=32751
}

@test "standard output that cannot be written" {
	status=0
	"$UPCALL" capacity >/dev/full 2>"$err" || status=$?
	[ "$status" -eq 20 ]
	grep -q "cannot write to standard output" "$err"
}
