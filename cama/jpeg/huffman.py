"""Huffman coding of sequential scans (ITU-T T.81, annexes C, F and K.2) with whole arrays at a time."""

from collections.abc import Sequence

import numpy as np

from cama.jpeg.coding import HuffmanTable

END_OF_BLOCK, SIXTEEN_ZEROS = 0x00, 0xF0


def symbols(blocks: np.ndarray, differences: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The items that code blocks (n, 64), int16, in zigzag order, of which the first values are coded as the `differences`
    (n,): for each the number of its block, its symbol, and its value. The symbol's lower four bits say how many bits of the
    value follow.
    """
    count = len(blocks)
    rows, places = np.nonzero(blocks[:, 1:])
    first = np.ones(len(rows), bool)
    first[1:] = rows[1:] != rows[:-1]
    runs = places - np.where(first, -1, np.roll(places, 1)) - 1
    times = runs // 16 + 1  # items of a coefficient: sixteen zeros some times, then itself
    ends = np.cumsum(times)
    owner = np.repeat(rows, times)
    values = np.zeros(len(owner), np.int64)
    values[ends - 1] = blocks[rows, places + 1]
    codes = np.full(len(owner), SIXTEEN_ZEROS)
    codes[ends - 1] = (runs % 16 << 4) | _bits(values[ends - 1])
    last = np.zeros(count, int)
    last[rows] = places + 1  # rows are sorted, so that the last place stays
    ended = last < 63
    before = np.cumsum(ended) - ended  # ends of blocks before each block
    total = count + len(owner) + int(ended.sum())
    block, code, value = np.empty(total, int), np.full(total, END_OF_BLOCK), np.zeros(total, np.int64)
    held = np.bincount(owner, minlength=count)  # items of each block's coefficients
    starts = np.arange(count) + np.cumsum(held) - held + before
    at = np.arange(len(owner)) + owner + 1 + before[owner]
    block[starts], code[starts], value[starts] = np.arange(count), _bits(differences), differences
    block[at], code[at], value[at] = owner, codes, values
    block[(starts + held + 1)[ended]] = np.nonzero(ended)[0]
    return block, code, value


def _bits(values: np.ndarray) -> np.ndarray:
    """The number of bits of each absolute value."""
    return np.frexp(np.abs(values).astype(np.float64))[1]


def table_codes(table: HuffmanTable) -> tuple[np.ndarray, np.ndarray]:
    """The code of each symbol (256,) and its length in bits (256,), 0 for a symbol that the table does not have."""
    codes, lengths = np.zeros(256, np.int64), np.zeros(256, np.int64)
    code, at = 0, 0
    for length, count in enumerate(table.counts, start=1):
        for symbol in table.symbols[at : at + count]:
            codes[symbol], lengths[symbol] = code, length
            code += 1
        at += count
        code <<= 1
    return codes, lengths


def optimal_table(kind: int, identifier: int, frequencies: Sequence[int]) -> HuffmanTable:
    """The table with the shortest code for symbols of these frequencies (256,), with codes of at most 16 bits (K.2)."""
    weights = {symbol: int(count) for symbol, count in enumerate(frequencies) if count}
    weights[256] = 1  # takes the code of ones alone, which is not allowed
    trees = {symbol: [symbol] for symbol in weights}
    sizes = dict.fromkeys(weights, 0)
    while len(weights) > 1:
        # the two of least weight, of equal ones those of the largest symbol
        one, two = sorted(weights, key=lambda symbol: (weights[symbol], -symbol))[:2]
        weights[one] += weights.pop(two)
        trees[one] += trees.pop(two)
        for symbol in trees[one]:
            sizes[symbol] += 1
    counts = np.bincount(list(sizes.values()), minlength=33)
    for size in range(len(counts) - 1, 16, -1):
        while counts[size]:
            shorter = size - 2
            while not counts[shorter]:
                shorter -= 1
            for length, change in ((size, -2), (size - 1, 1), (shorter + 1, 2), (shorter, -1)):
                counts[length] += change
    counts[np.nonzero(counts)[0][-1]] -= 1  # without the symbol 256
    order = sorted((symbol for symbol in sizes if symbol < 256), key=lambda symbol: (sizes[symbol], symbol))
    return HuffmanTable(kind, identifier, tuple(map(int, counts[1:17])), bytes(order))


def pack(codes: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The bytes of codes of up to 32 bits, one behind the other; the last byte is filled with zeros."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    starts = ends - lengths
    words = starts >> 5
    shifted = codes.astype(np.uint64) << (64 - (starts & 31) - lengths).astype(np.uint64)
    size = (total >> 5) + 2
    # the codes share no bit, so that sums are unions, which float64 holds exactly
    high = np.bincount(words, (shifted >> np.uint64(32)).astype(np.float64), size)
    low = np.bincount(words + 1, (shifted & np.uint64(0xFFFFFFFF)).astype(np.float64), size)
    return (high + low).astype(">u4").view(np.uint8)[: -(-total // 8)]
