#!/bin/sh
# SPDX-License-Identifier: MIT
# Every header of the library compiles alone, the public ones also as C++; these need nothing but each other and
# freestanding C headers (so no Xen header either); lib/ needs nothing but memcpy and memset, and includes nothing of
# vmm/ or cli/. Arguments: source root, the built library.
cd "$1" || exit 1
failed=0
fail()
{
	echo "$1"
	failed=1
}

for header in include/upcall/*.h; do
	gcc -std=c11 -pedantic -Wall -Wextra -Werror -fsyntax-only -Iinclude -x c "$header" ||
		fail "$header does not compile alone as C11"
	g++ -std=c++17 -Wall -Wextra -Werror -fsyntax-only -Iinclude -x c++ "$header" ||
		fail "$header does not compile alone as C++"
	gcc -std=c11 -ffreestanding -nostdinc -isystem "$(gcc -print-file-name=include)" -fsyntax-only -Iinclude -x c \
		"$header" || fail "$header needs more than a freestanding compiler has"
done
for header in $(find lib -name '*.h'); do
	gcc -std=gnu11 -Wall -Wextra -Werror -fsyntax-only -Iinclude -I. -x c "$header" ||
		fail "$header does not compile alone"
done

grep -rnE '#include *["<](vmm|cli)/' lib include && fail "lib/ includes a header of another room"
grep -rnE '#include *<(stdio|stdlib|pthread|errno|unistd|sys/)' lib include &&
	fail "lib/ includes a hosted header"

# Sanitizers add calls of their own.
nm "$2" | grep -qE ' (U|w) __(asan|tsan|ubsan)_' ||
	nm "$2" | awk 'NF == 2 && $1 == "U" { needs[$2] } NF == 3 { has[$3] }
		END { for (s in needs) if (!(s in has) && s !~ /^(memcpy|memset|_GLOBAL_OFFSET_TABLE_)$/) print s }' |
	{ ! grep . ; } || fail "lib/ needs these symbols from outside"
exit $failed
