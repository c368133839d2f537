#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Bad input of `upcall compare`: one line each, nothing left in $TMPDIR.

load common

refused() { # refused WORDS ARG...: status 2 and one line with these words
	refused_with 2 "$@"
}

refused_with() { # refused_with STATUS WORDS ARG...
	local want=$1 words=$2
	shift 2
	run_upcall compare "$@"
	[ "$status" -eq "$want" ]
	[ "$(wc -l <"$err")" -eq 1 ]
	grep -q -- "$words" "$err"
	[ -z "$(ls -A "$TMPDIR")" ]
}

@test "unknown, doubled and missing policies and probes" {
	refused "--policies best: give up to 4 of pinned" --policies best
	refused "follow is there twice" --policies follow,follow
	refused "--policies , : give" --policies ", "
	refused "--probes smtp: give some of icmp" --probes smtp
	refused "--probes ,: give some" --probes ,
}

@test "loads, numbers and words that are none" {
	refused "--load heavy: give busy or idle" --load heavy
	refused "--rate 0" --rate 0
	refused "--cpus" --cpus x
	refused "unexpected argument now" now
	refused "--measure needs --kernel and --initrd" --measure
}

@test "a kernel that is not there" {
	refused "nonexistent" --kernel /nonexistent
	touch kernel
	refused "/nonexistent/initrd" --kernel kernel --initrd /nonexistent/initrd
	refused "/nonexistent/driver" --kernel kernel --netfront /nonexistent/driver
}

@test "records that cannot be written are refused before anything is measured" {
	touch kernel
	refused "--records /nonexistent/file" --kernel kernel --initrd kernel --records /nonexistent/file
}

@test "the http probe alone needs busybox, and says so before anything is made" {
	export UPCALL_BUSYBOX=/nonexistent/busybox
	touch kernel
	refused_with 30 "--probes http needs busybox" --kernel kernel --probes icmp,http --records records
	[ ! -e records ]
	refused "--records /nonexistent/file" --kernel kernel --probes icmp,task,tcp --records /nonexistent/file
	refused "--records /nonexistent/file" --kernel kernel --initrd kernel --probes http --records /nonexistent/file
}
