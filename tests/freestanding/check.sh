#!/bin/bash
# SPDX-License-Identifier: MIT
# lib/ for a machine without an operating system. Compiled for ARCH with none of its C library's headers in reach,
# linked into one relocatable object; that object may need memcpy and memset, nothing else. Then a program with no
# C library (run.c) uses it, on this CPU or under qemu's user emulation where that is installed.
#
#   check.sh ROOT x86_64|aarch64
set -eu
root=$1 arch=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

fail() {
	echo "$arch: $1"
	failed=1
}

# One line each: the compiler's prefix, and a name and the flags of each way to compile.
case $arch in
x86_64)
	cross=
	builds='plain -O2
	kernel -O2 -mcmodel=kernel -mno-red-zone -mgeneral-regs-only'
	;;
aarch64)
	cross=aarch64-linux-gnu-
	builds='plain -O2 -mno-outline-atomics
	kernel -O2 -march=armv8.1-a -mgeneral-regs-only'
	;;
esac
command -v "${cross}gcc" >/dev/null || {
	echo "no ${cross}gcc: apt-get install gcc-${cross%-}"
	exit 77
}

# Xen's public headers and the declarations of the two functions, and nothing of /usr/include besides.
mkdir "$work/include"
ln -s /usr/include/xen "$work/include/xen"
cp "$root/tests/freestanding/string.h" "$work/include/"
flags=(-std=gnu11 -ffreestanding -nostdlib -nostdinc -isystem "$("${cross}gcc" -print-file-name=include)"
	-isystem "$work/include" -I"$root/include" -I"$root" -Wall -Wextra -Werror -Wno-missing-field-initializers
	-fno-stack-protector -fno-pie -D__XEN_INTERFACE_VERSION__=__XEN_LATEST_INTERFACE_VERSION__)

compile() { # compile NAME FLAG...: $work/NAME.o is all of lib/
	local name=$1
	shift
	mkdir "$work/$name"
	(cd "$work/$name" && find "$root/lib" -name '*.c' -exec "${cross}gcc" "${flags[@]}" "$@" -c {} +) &&
		[ "$(find "$work/$name" -name '*.o' | wc -l)" -eq "$(find "$root/lib" -name '*.c' | wc -l)" ] &&
		"${cross}ld" -r -o "$work/$name.o" "$work/$name"/*.o
}

undefined() {
	"${cross}nm" -u "$1" | awk '$2 !~ /^(memcpy|memset)$/ { print $2 }' | xargs
}

while read -r name options; do
	# shellcheck disable=SC2086
	compile "$name" $options || { fail "$name does not compile ($options)"; continue; }
	need=$(undefined "$work/$name.o")
	[ -z "$need" ] || fail "$name needs $need"
	[ "$("${cross}nm" "$work/$name.o" | grep -c ' T uc_')" -ge 40 ] || fail "$name has too few functions"
done <<<"$builds"

# A guest that keeps writing a word must not keep a read-modify-write of it from ending (XSA-295), so none is a loop.
if [ "$arch" = aarch64 ] && [ -e "$work/kernel.o" ]; then
	"${cross}objdump" -d "$work/kernel.o" >"$work/code"
	! grep -E '\s(ld|st)l?a?xr[bh]?\s' "$work/code" | head -5 | grep . || fail "exclusive loads and stores with ARMv8.1's atomics"
	grep -qE '\sldset' "$work/code" || fail "none of ARMv8.1's atomics"
	grep -qE '\syield' "$work/code" || fail "spinning without a yield"
	grep -qE '\s(csdb|hint\s+#0x14)' "$work/code" || fail "no csdb behind the mask of an index"
	! "${cross}gcc" "${flags[@]}" -mbig-endian -fsyntax-only "$root/lib/evtchn/send.c" 2>"$work/big" ||
		fail "compiles for a big-endian machine"
	grep -q 'static assertion failed' "$work/big" || fail "a big-endian machine is refused without a word"
fi

emulator=
[ "$arch" = "$(uname -m)" ] || emulator=qemu-$arch
if [ -n "$emulator" ] && ! command -v "$emulator" >/dev/null; then
	echo "not run: no $emulator"
elif [ $failed = 0 ]; then
	"${cross}gcc" "${flags[@]}" -O2 -static -no-pie "$root/tests/freestanding/run.c" "$work/plain.o" -o "$work/run" ||
		fail "run.c does not link"
	status=0
	$emulator "$work/run" || status=$?
	[ $status -eq 0 ] || fail "run.c: step $status failed"
fi
exit $failed
