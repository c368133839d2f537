#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Runs in the lab (or natively, as root): boots the network test's guest on a tap and checks what
# comes through it. Prints "ok WHAT" or "not ok WHAT: ..." per promise, then the guest's log.
# Counts and checksums only, no times: it is an emulator, and a busy one.
#
#   lab.sh NAME KERNEL INITRD CPUS

name=$1 kernel=$2 initrd=$3 cpus=$4
guest=10.77.0.2
bytes=20000000
tmp=/tmp/$name
mkdir -p "$tmp"

verdict() { # verdict WHAT GOT WANTED
	if [ "$2" = "$3" ]; then
		echo "ok $name: $1"
	else
		echo "not ok $name: $1: got '$2', wanted '$3'"
	fi
}

wait_for() { # wait_for SECONDS COMMAND...: until it succeeds
	tries=$(($1 * 5))
	shift
	while [ $tries -gt 0 ]; do
		"$@" >/dev/null 2>&1 && return
		usleep 200000
		tries=$((tries - 1))
	done
	echo "not ok $name: never happened: $*"
	return 1
}

in_guest() { # in_guest COMMAND: on its shell
	echo "$1" | nc $guest 7002
}

packets() { # packets rx|tx: of the tap, so "rx" is what the guest sent
	cat "/sys/class/net/tap0/statistics/$1_packets"
}

sum() {
	md5sum | cut -d ' ' -f 1
}

up() {
	[ -e /sys/class/net/tap0 ] || return
	echo 0 >/proc/sys/net/ipv6/conf/tap0/accept_dad
	ifconfig tap0 add fd77::1/64
	ifconfig tap0 10.77.0.1 netmask 255.255.255.0 up
}

check_pings() {
	verdict "100 pings answered" "$(ping -q -i 0.02 -c 100 $guest | grep -o '[0-9]* packets received')" \
		"100 packets received"
	# In fragments of IP, over several slots where the host sends them so.
	verdict "20 pings of 20000 bytes answered" \
		"$(ping -q -s 20000 -i 0.3 -c 20 $guest | grep -o '[0-9]* packets received')" "20 packets received"
	verdict "20 pings answered over IPv6" \
		"$(ping6 -q -i 0.02 -c 20 fd77::2 | grep -o '[0-9]* packets received')" "20 packets received"
}

# A segment of TCP holds at most 1448 bytes here: fewer packets than that needs are larger ones.
verdict_large() { # verdict_large WHAT PACKETS
	if [ "$2" -lt $((bytes / 1448)) ]; then
		echo "ok $name: $1 in $2 packets"
	else
		echo "not ok $name: $1 took $2 packets: no segmentation offload"
	fi
}

check_tcp() {
	before=$(packets tx)
	verdict "$bytes bytes to the guest" "$(nc $guest 7001 <"$tmp/data" | cut -d ' ' -f 1)" "$(sum <"$tmp/data")"
	verdict_large "$bytes bytes to the guest" $(($(packets tx) - before))
	wanted=$(in_guest "md5sum /data" | cut -d ' ' -f 1)
	before=$(packets rx)
	verdict "$bytes bytes from the guest" "$(in_guest "cat /data" | sum)" "$wanted"
	verdict_large "$bytes bytes from the guest" $(($(packets rx) - before))
	verdict "$bytes bytes from the guest over IPv6" "$(wget -q -O - "http://[fd77::2]/data" | sum)" "$wanted"
	verdict "$bytes bytes to the guest over IPv6" \
		"$(in_guest "wget -q -O - http://[fd77::1]/data | md5sum" | cut -d ' ' -f 1)" "$(sum <"$tmp/data")"
}

# Both ways at once, several streams: all queues at work.
check_parallel() {
	few=1000000
	head -c $few "$tmp/data" >"$tmp/few"
	want=$(sum <"$tmp/few")
	wanted=$(in_guest "head -c $few /data | md5sum" | cut -d ' ' -f 1)
	for i in 1 2 3 4; do
		nc $guest 7001 <"$tmp/few" >"$tmp/to.$i" &
		pids="$pids $!"
		in_guest "head -c $few /data" | sum >"$tmp/from.$i" &
		pids="$pids $!"
	done
	wait $pids
	for i in 1 2 3 4; do
		verdict "stream $i of 4 to the guest" "$(cut -d ' ' -f 1 "$tmp/to.$i")" "$want"
		verdict "stream $i of 4 from the guest" "$(cat "$tmp/from.$i")" "$wanted"
	done
}

check_queues() { # as many queues as vCPUs, each with two channels of its own
	verdict "queues and channels" "$(in_guest "cat /proc/interrupts" | grep -c 'vif0-q[0-9]*-[rt]x')" $((2 * cpus))
}

check_reconnect() {
	in_guest "(sleep 1; cd /sys/bus/xen/drivers/vif; echo vif-0 >unbind; ls; echo vif-0 >bind; card-up; echo net: again) \
		>/dev/hvc0 2>&1 </dev/null &"
	wait_for 60 grep -q "net: again" "$tmp/out" || return
	verdict "20 pings answered by the driver that was unbound and bound again" \
		"$(ping -q -i 0.1 -c 20 $guest | grep -o '[0-9]* packets received')" "20 packets received"
}

head -c $bytes /dev/urandom >"$tmp/data"
upcall run --kernel "$kernel" --initrd "$initrd" --append "console=hvc0" --cpus "$cpus" --memory 256M \
	--net tap=tap0 --counters </dev/null >"$tmp/out" 2>"$tmp/err" &
vmm=$!
httpd -f -p '[::]:80' -h "$tmp" &
httpd=$!
if wait_for 10 up && wait_for 120 grep -q "net: ready" "$tmp/out"; then
	check_pings
	check_queues
	check_tcp
	check_parallel
	check_reconnect
	in_guest "poweroff -f" >/dev/null &
	wait $vmm
	verdict "exit status" $? 0
else
	kill $vmm
fi
kill $httpd
sed 's/^/# /' "$tmp/out" "$tmp/err"
