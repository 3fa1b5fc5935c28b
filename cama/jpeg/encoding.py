"""Sequential scans of any sampling factors, Huffman tables and order of components, which Pillow's encoder cannot write."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cama.core.errors import CamaError
from cama.jpeg.coding import Component, HuffmanTable, Scan
from cama.jpeg.huffman import optimal_table, pack, symbols, table_codes

BLOCKS = 1 << 16  # that are coded at a time, which bounds the memory
MOST_BLOCKS = 10  # in an MCU of several components (T.81, B.2.3)
Tables = dict[tuple[int, int], HuffmanTable]  # by kind and identifier


@dataclass(frozen=True)
class Layout:
    """Where a scan's blocks stand: the numbers of its components, and the rows and columns of their MCUs."""

    components: tuple[int, ...]
    factors: tuple[tuple[int, int], ...]  # horizontal and vertical, of each component in an MCU
    rows: int
    columns: int

    @property
    def slots(self) -> np.ndarray:
        """For each block of an MCU the place of its component in the scan."""
        return np.repeat(np.arange(len(self.factors)), [across * down for across, down in self.factors])


def check_sampling(components: Sequence[Component], scans: Sequence[Sequence[int]]) -> None:
    """Refuse sampling factors that decoders refuse. `scans`: the numbers of the components of each scan."""
    found = ",".join(f"{c.horizontal}x{c.vertical}" for c in components)
    most = max(c.horizontal for c in components), max(c.vertical for c in components)
    if any(most[0] % c.horizontal or most[1] % c.vertical for c in components):
        raise CamaError(f"encoding: found the sampling {found}, expected factors that divide the largest")
    for scan in scans:
        blocks = sum(components[number].horizontal * components[number].vertical for number in scan)
        if len(scan) > 1 and blocks > MOST_BLOCKS:
            raise CamaError(f"encoding: found the sampling {found}, expected at most {MOST_BLOCKS} blocks in an MCU")


def encode_scans(
    blocks: Sequence[np.ndarray],
    components: Sequence[Component],
    scans: Sequence[Scan],
    restart: int,
    size: tuple[int, int],
    tables: Tables | None,
) -> tuple[list[bytes], Tables]:
    """The data of each scan, coded with the Huffman `tables`, and those that it needs; None is for the shortest.

    `blocks`: each component's coefficients, (rows, columns, 64), as `coefficients` gives them. `restart`: MCUs from one
    restart marker to the next, 0 for none. `size`: height and width in pixels.
    """
    places = {component.identifier: number for number, component in enumerate(components)}
    layouts = [_layout(blocks, components, [places[name] for name, *_ in scan.components], size) for scan in scans]
    check_sampling(components, [layout.components for layout in layouts])
    keys = [[(kind, tables[kind]) for kind in (0, 1) for _, *tables in scan.components] for scan in scans]
    if tables is None:
        counts: dict[tuple[int, int], np.ndarray] = {}
        for layout, own in zip(layouts, keys, strict=True):
            for table, code, _, _ in _items(blocks, layout, restart):
                both = np.bincount(table * 256 + code, minlength=len(own) * 256).reshape(-1, 256)
                for key, count in zip(own, both, strict=True):
                    counts[key] = counts.get(key, 0) + count
        tables = {key: optimal_table(*key, count) for key, count in counts.items()}
    for kind, identifier in (key for own in keys for key in own if key not in tables):
        raise CamaError(f"encoding: found no Huffman table {('DC', 'AC')[kind]}{identifier}, which a scan names")
    found = [
        b"".join(_coded(_items(blocks, layout, restart), [tables[key] for key in own], layout, restart))
        for layout, own in zip(layouts, keys, strict=True)
    ]
    return found, {key: tables[key] for own in keys for key in own}


def _layout(
    blocks: Sequence[np.ndarray], components: Sequence[Component], numbers: Sequence[int], size: tuple[int, int]
) -> Layout:
    if len(numbers) == 1:  # without dummy blocks
        return Layout(tuple(numbers), ((1, 1),), *blocks[numbers[0]].shape[:2])
    most = max(c.vertical for c in components), max(c.horizontal for c in components)
    rows, columns = (-(-length // (8 * factor)) for length, factor in zip(size, most, strict=True))
    factors = tuple((components[number].horizontal, components[number].vertical) for number in numbers)
    return Layout(tuple(numbers), factors, rows, columns)


def _units(blocks: Sequence[np.ndarray], layout: Layout) -> Iterator[np.ndarray]:
    """The blocks of some rows of MCUs after others, (n, 64), in the order of the scan."""
    step = max(1, BLOCKS // (layout.columns * len(layout.slots)))
    for top in range(0, layout.rows, step):
        rows = min(step, layout.rows - top)
        parts = []
        for number, (across, down) in zip(layout.components, layout.factors, strict=True):
            part = blocks[number][top * down : (top + rows) * down]
            real, columns = part.shape[:2]
            # dummy blocks fill the last MCUs: without detail, and with the mean of the block before
            part = np.pad(part, ((0, rows * down - real), (0, layout.columns * across - columns), (0, 0)))
            part[:real, columns:, 0] = part[:real, columns - 1 : columns, 0]
            for row in range(real, rows * down):
                part[row, :, 0] = np.repeat(part[row - 1, across - 1 :: across, 0], across)
            units = part.reshape(rows, down, layout.columns, across, 64).swapaxes(1, 2)
            parts.append(units.reshape(rows * layout.columns, down * across, 64))
        yield np.concatenate(parts, axis=1).reshape(-1, 64)


def _items(
    blocks: Sequence[np.ndarray], layout: Layout, restart: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """The items of some MCUs after others: for each its table's place (DC tables of the scan's components, then AC tables), its
    symbol, its value, and whether it is the last of its MCU.
    """
    slots = layout.slots
    before, done = np.zeros(len(layout.components), int), 0
    for part in _units(blocks, layout):
        slot = np.tile(slots, len(part) // len(slots))
        means = part[:, 0].astype(int)
        differences = np.empty_like(means)
        for place in range(len(layout.components)):
            of = np.nonzero(slot == place)[0]
            previous = np.concatenate([before[place : place + 1], means[of[:-1]]])
            if restart:
                unit = done + of // len(slots)
                first = np.diff(unit, prepend=-1) != 0
                previous[first & (unit % restart == 0)] = 0
            differences[of] = means[of] - previous
            before[place] = means[of[-1]]
        block, code, value = symbols(part, differences)
        is_first = np.diff(block, prepend=-1) != 0
        is_last = np.diff(block, append=len(part)) != 0
        table = slot[block] + np.where(is_first, 0, len(layout.components))
        yield table, code, value, is_last & (block % len(slots) == len(slots) - 1)
        done += len(part) // len(slots)


def _coded(
    items: Iterator[tuple[np.ndarray, ...]], tables: Sequence[HuffmanTable], layout: Layout, restart: int
) -> Iterator[bytes]:
    """The bytes of a scan, part by part, with stuffed bytes and restart markers."""
    codes, sizes = (np.stack(found) for found in zip(*map(table_codes, tables), strict=True))
    units, done = layout.rows * layout.columns, 0
    left, left_size = 0, 0  # bits that do not fill a byte yet
    for table, code, value, is_last in items:
        bits = code & 15
        lengths = sizes[table, code]
        if not lengths.all():
            raise CamaError("encoding: found a coefficient that no symbol of the Huffman tables stands for")
        extra = np.where(value < 0, value + (1 << bits) - 1, value)
        combined = np.concatenate([[left], codes[table, code] << bits | extra])
        lengths = np.concatenate([[left_size], lengths + bits])
        unit = done + 1 + np.arange(int(is_last.sum()))
        closes = (unit == units) | ((unit % restart == 0) if restart else False)
        after = np.nonzero(is_last)[0][closes] + 2  # places behind the last items of intervals
        padding = -np.diff(np.cumsum(lengths)[after - 1], prepend=0) % 8
        lengths = np.insert(lengths, after, padding)
        data = pack(np.insert(combined, after, (1 << padding) - 1), lengths)
        ends = np.cumsum(lengths)[after + np.arange(len(after))] // 8
        left_size = int(lengths.sum() % 8)
        left = int(data[-1]) >> (8 - left_size) if left_size else 0
        data = data[:-1] if left_size else data
        yield _marked(data, ends[unit[closes] < units], unit[closes][unit[closes] < units], restart)
        done = int(unit[-1])


def _marked(data: np.ndarray, ends: np.ndarray, units: np.ndarray, restart: int) -> bytes:
    """The data with a zero behind each ff, and a restart marker at each of the `ends`, behind so many `units`."""
    stuffed = np.nonzero(data == 0xFF)[0] + 1
    markers = np.stack([np.full(len(units), 0xFF), 0xD0 + (units // max(1, restart) - 1) % 8], axis=1).ravel()
    places = np.concatenate([stuffed, np.repeat(ends, 2)])
    return np.insert(data, places, np.concatenate([np.zeros(len(stuffed), int), markers])).tobytes()
