#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# `upcall compare` for real, in the lab: every request is answered, both policies have windows of both
# kinds, and all that was asked for is written. Counts only, no times.

load common

@test "a short comparison" {
	command -v "${UPCALL_QEMU:-qemu-system-x86_64}" >/dev/null || skip "no qemu-system-x86_64"
	use_real_kernels
	use_real qemu qemu
	for try in 1 2 3; do
		run_upcall compare --cpus 2 --host-cpus 1 --seconds 2 --window 125 --rate 100 --probes icmp,task,tcp,http --csv c.csv \
			--json c.json --html c.html --records c.rec
		[ "$status" -eq 32 ] || break # the lab's own machine died
	done
	[ "$status" -eq 0 ]
	for probe in icmp task tcp http; do
		grep -q "^$probe: " "$out"
		[ "$(grep -c ",$probe," c.csv)" -gt 10 ]
	done
	grep -q '"guest_log_problems":\[\]' c.rec
	for policy in pinned follow; do
		grep -q "\"phase\":\"idle\",\"policy\":\"$policy\"" c.rec
		grep -q "\"phase\":\"load\",\"policy\":\"$policy\"" c.rec
	done
	# With the policy pinned nothing is moved, and what has no answer after 5 s is lost.
	[ -z "$(grep '"policy":"pinned"' c.rec | grep -v '"handed_over":0,')" ]
	grep -q '"end":{"lost":0,' c.rec
	grep -q "</html>" c.html
	python3 -c 'import json; json.load(open("c.json"))'
	[ -z "$(ls -A "$TMPDIR")" ]
}
