#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The seed corpus of a fuzz target: seeds.py TARGET FOLDER.

A few short inputs, one for each way through the library that random bytes seldom find. The numbers of
operations and scenarios are read from the sources.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
NOTHING, TWO_LEVEL, FIFO, FOLLOW = range(4)
# EVTCHNOP numbers (xen/event_channel.h).
(BIND_INTERDOMAIN, BIND_VIRQ, BIND_PIRQ, CLOSE, SEND, STATUS, ALLOC_UNBOUND, BIND_IPI, BIND_VCPU, UNMASK, RESET,
 INIT_CONTROL, EXPAND_ARRAY, SET_PRIORITY) = range(14)
SET_AFFINITY = 23


def op_numbers():
    table = (ROOT / "fuzz/ops.c").read_text().split("} ops[] = {")[1].split("};")[0]
    return {name: number for number, name in enumerate(re.findall(r'\{"(\w+)"', table))}


def ops_seeds():
    number = op_numbers()

    def op(name, *operands, guest=0):
        return bytes([number[name], guest, *operands])

    def call(cmd, *words, guest=0):
        return op("evtchn_op", cmd, *words, 0, guest=guest)

    def start(a, b=FIFO):
        return bytes([a + 4 * b])

    raise_all = b"".join(op("raise", i) for i in range(3))
    queue = start(FOLLOW, FOLLOW) + raise_all + op("consume", 0) + raise_all
    hand_over = op("change_state", 0, 2) + op("hand_over", 0) + op("consume", 1)
    pair = (call(ALLOC_UNBOUND, 0xc0 | 0x0, guest=1) +
            call(BIND_INTERDOMAIN, 2, 1, 0) + op("send", 1) + op("send", 1, guest=1))
    yield "queue", queue
    yield "hand-over", queue + hand_over + raise_all
    yield "offline", queue + b"".join(op("close", port) for port in (1, 2, 3)) + raise_all
    yield "priority", queue + call(SET_PRIORITY, 4, 3) + raise_all + call(BIND_VCPU, 4, 1) + raise_all
    yield "sets", queue + op("port_set", 4, 2) + raise_all + op("domain_set", 4) + raise_all
    yield "two-level", start(TWO_LEVEL, TWO_LEVEL) + op("open_endpoint", 0) + op("raise", 0) + op("unmask", 1)
    yield "to-fifo", start(TWO_LEVEL) + op("open_endpoint", 0) + op("raise", 0) + b"".join(
        op("init_control", v, 0) for v in range(3)) + op("expand_array", 0) + op("raise", 0)
    yield "late-set-up", start(NOTHING) + op("open_endpoint", 0) + op("raise", 0) + op("map_shared_info", 0) + op(
        "register_info", 0, 1, 0) + op("raise", 0)
    yield "pair", start(FIFO, FIFO) + pair + op("close", 1) + op("send", 1, guest=1)
    yield "virq", start(FIFO) + op("bind_virq", 1, 0) + op("raise_virq", 1, 0) + op("close", 1)
    yield "full", start(FOLLOW) + op("take_all_ports") + raise_all + op("close", 7) + op("open_endpoint", 3) + op("raise", 3)
    yield "reset", queue + op("reset", 0) + raise_all + b"".join(op("init_control", v, 0) for v in range(3)) + op(
        "expand_array", 0) + raise_all + op("hand_over", 0)
    yield "pirqs", start(FOLLOW) + op("bind_pirq", 1) + op("change_pirq", 1, 1) + op("consume", 0) + op(
        "end_pirq", 1) + op("bind_pirq", 2) + op("change_pirq", 2, 0) + op("close", 4)
    yield "32-bit", start(TWO_LEVEL) + op("change_limits", 1, 31) + op("open_endpoint", 0) + op("raise", 0)
    yield "poll", start(FOLLOW) + op("poll", 1, 0, 4) + op("raise", 0) + op("poll", 1, 0, 4)
    yield "hostile-tail", queue + op("flip_bit", 0, 6, 29) + raise_all + op("flip_during_the_next", 3, 30) + op("raise", 1)
    yield "hostile-ready", queue + op("write_word", 3, 0, 31, 255) + hand_over


def schedules_seeds():
    names = []
    for table in ("raise", "control", "reset", "hostile"):
        text = (ROOT / f"tests/explore/scenarios_{table}.c").read_text().split("scenarios_" + table + "[] = {")[1]
        names += re.findall(r'^\t\{"([\w-]+)",', text, re.M)
    for number, name in enumerate(names):
        yield name, bytes([number])
        yield name + "-switching", bytes([number]) + bytes([0, 0, 0xd0, 0, 0xd1, 0, 0, 0, 0xd2]) * 8


def main():
    target, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in {"ops": ops_seeds, "schedules": schedules_seeds}[target]():
        (folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
