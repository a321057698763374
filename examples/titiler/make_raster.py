"""Writes raster.tif: 2048 x 2048 heights in Web Mercator, tiled, with overviews. Standard library only."""

from __future__ import annotations

import struct
import sys
import zlib
from array import array
from math import cos, pi, sin
from pathlib import Path

SIZE, TILE = 2048, 256
METRES = 2_000_000.0
"""The raster's width and height; its lower left corner is where the equator meets Greenwich."""
SHORT, LONG, DOUBLE = 3, 4, 12
FORMATS = {SHORT: "H", LONG: "I", DOUBLE: "d"}

Tags = dict[int, tuple[int, list[float]]]


def tiles(size: int) -> list[bytes]:
    """The picture in `size` x `size` pixels, as compressed tiles."""
    wave = [8 * pi * (index + 0.5) / size for index in range(size)]
    rows, columns = [500 * sin(angle) for angle in wave], [cos(angle) for angle in wave]
    ripple = [100 * sin(7 * angle) for angle in wave]
    found = []
    for top in range(0, size, TILE):
        for left in range(0, size, TILE):
            pixels = array(
                "H",
                (
                    int(1000 + rows[row] * columns[column] + ripple[column])
                    for row in range(top, top + TILE)
                    for column in range(left, left + TILE)
                ),
            )
            if sys.byteorder == "big":
                pixels.byteswap()
            found.append(zlib.compress(pixels.tobytes(), 6))
    return found


def tags_of(size: int, offsets: list[int], lengths: list[int]) -> Tags:
    tags: Tags = {
        254: (LONG, [int(size != SIZE)]),  # whether this is an overview
        256: (LONG, [size]),
        257: (LONG, [size]),
        258: (SHORT, [16]),
        259: (SHORT, [8]),  # Deflate
        262: (SHORT, [1]),
        277: (SHORT, [1]),
        322: (LONG, [TILE]),
        323: (LONG, [TILE]),
        324: (LONG, list(offsets)),
        325: (LONG, list(lengths)),
        339: (SHORT, [1]),
    }
    if size == SIZE:
        tags[33550] = (DOUBLE, [METRES / SIZE, METRES / SIZE, 0])
        tags[33922] = (DOUBLE, [0, 0, 0, 0, METRES, 0])
        # Projected, pixels are areas, EPSG:3857.
        tags[34735] = (SHORT, [1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 3857])
    return tags


def directory(tags: Tags, start: int, *, last: bool) -> bytes:
    """A TIFF directory that stands at `start`, its long values behind it."""
    behind = start + 2 + 12 * len(tags) + 4
    entries, values = b"", b""
    for tag, (kind, numbers) in sorted(tags.items()):
        packed = struct.pack(f"<{len(numbers)}{FORMATS[kind]}", *numbers)
        if len(packed) <= 4:
            entries += struct.pack("<HHI", tag, kind, len(numbers)) + packed.ljust(4, b"\0")
        else:
            entries += struct.pack("<HHII", tag, kind, len(numbers), behind + len(values))
            values += packed
    after = 0 if last else behind + len(values)
    return struct.pack("<H", len(tags)) + entries + struct.pack("<I", after) + values


def content() -> bytes:
    """The whole file: header, tiles, and a directory for each size."""
    sizes = [SIZE, SIZE // 2, SIZE // 4]
    pixels = [tiles(size) for size in sizes]
    position = 8
    offsets: list[list[int]] = []
    for level in pixels:
        offsets.append([])
        for tile in level:
            offsets[-1].append(position)
            position += len(tile)
    header = struct.pack("<2sHI", b"II", 42, position)
    made = header + b"".join(tile for level in pixels for tile in level)
    for size, level, at in zip(sizes, pixels, offsets, strict=True):
        tags = tags_of(size, at, [len(tile) for tile in level])
        made += directory(tags, len(made), last=size == sizes[-1])
    return made


if __name__ == "__main__":
    Path(__file__).with_name("raster.tif").write_bytes(content())
