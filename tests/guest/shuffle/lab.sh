#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Runs in the lab (or natively, as root): boots the shuffle test's guest on a tap and lets the driver
# change everything about its events. At the end the guest's console goes to stdout, the VMM's
# counters to stderr, and behind them what the driver said, as "driver: LINE".
#
#   lab.sh DRIVER KERNEL INITRD SECONDS SEED

driver=$1 kernel=$2 initrd=$3 seconds=$4 seed=$5
tmp=$(mktemp -d)

wait_for() { # wait_for SECONDS COMMAND...: until it succeeds
	tries=$(($1 * 5))
	shift
	while [ $tries -gt 0 ]; do
		"$@" >/dev/null 2>&1 && return
		usleep 200000
		tries=$((tries - 1))
	done
	echo "driver: FAILED: never happened: $*" >&2
	return 1
}

up() { # a fixed ARP entry and no IPv6: nothing on the wire but what the test sends
	[ -e /sys/class/net/tap0 ] || return
	echo 1 >/proc/sys/net/ipv6/conf/tap0/disable_ipv6
	ifconfig tap0 hw ether 02:00:00:00:00:77
	ifconfig tap0 10.77.0.1 netmask 255.255.255.0 up
	arp -s 10.77.0.2 00:16:3e:00:00:77
}

upcall run --name shuffle --kernel "$kernel" --initrd "$initrd" --append "console=hvc0" --cpus 4 --memory 256M \
	--net tap=tap0,mac=00:16:3e:00:00:77 --counters </dev/null >"$tmp/out" 2>"$tmp/err" &
vmm=$!
chmod +x "$driver"
if wait_for 10 up && wait_for 120 grep -q "shuffle: ready" "$tmp/out" &&
	"$driver" shuffle "$seconds" "$seed" >"$tmp/driver" 2>&1; then
	# The driver has told it to power off.
	wait_for 60 sh -c "! kill -0 $vmm"
else
	upcall ctl shuffle status >>"$tmp/driver" 2>&1
fi
kill $vmm 2>/dev/null
wait $vmm
echo "the machine ended with status $?" >>"$tmp/driver"
cat "$tmp/out"
cat "$tmp/err" >&2
sed 's/^/driver: /' "$tmp/driver" >&2
