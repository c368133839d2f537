#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Bad input of `upcall run --net`. No test here needs KVM: a card that cannot be had is told of first.

load common

@test "--net takes none or a tap" {
	for what in tap eth0 tap:x tap0,mac=00:16:3e:00:00:01 "tap=a,b=c"; do
		refused 2 "--net $what: give none or tap=NAME" run --kernel /dev/null --net "$what"
	done
}

@test "names that no interface can have" {
	for name in "" 1234567890123456 a/b "a b" %d; do
		refused 2 "--net tap=$name: give the name of an interface" run --kernel /dev/null --net "tap=$name"
	done
}

@test "addresses that no card can have" {
	for mac in "" 00 00:16:3e:00:00 00:16:3e:00:00:01:02 00:16:3e:00:00:0g 01:16:3e:00:00:01 0:16:3e:0:0:1; do
		refused 2 "--net mac=$mac: give a unicast address" run --kernel /dev/null --net "tap=t0,mac=$mac"
	done
}

@test "a machine without tun, or without the right to use it" {
	[ ! -e /dev/net/tun ] || skip "this machine has /dev/net/tun"
	refused 2 "load the module tun" run --kernel /dev/null --net tap=upcalltest0
}

@test "an interface that is no tap" {
	[ "$(id -u)" -eq 0 ] && [ -w /dev/net/tun ] || skip "needs root and /dev/net/tun"
	for cpus in 1 4; do
		refused 2 "--net tap=lo: there is such an interface" run --kernel /dev/null --cpus $cpus --net tap=lo
	done
}
