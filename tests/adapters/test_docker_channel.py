from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.adapters.docker_channel import HEADER, AttachStream, DockerChannel
from harness.errors import GeneratorFailed

STDOUT, STDERR = 1, 2


def frame(stream: int, payload: bytes) -> bytes:
    return HEADER.pack(stream, len(payload)) + payload


@given(cuts=st.lists(st.integers(min_value=1, max_value=9), max_size=40))
def test_lines_come_whole_however_the_stream_is_cut(cuts: list[int]) -> None:
    data = (
        frame(STDOUT, b"one\ntw")
        + frame(STDERR, b"a warning\n")
        + frame(STDOUT, b"")
        + frame(STDOUT, b"o\n\nthree")
    )
    stream = AttachStream()
    for size in cuts:
        stream.feed(data[:size])
        data = data[size:]
    stream.feed(data)
    assert list(stream.lines) == [b"one", b"two", b""]
    assert stream.stderr_tail == "a warning"
    stream.feed(frame(STDOUT, b"\n"))
    assert stream.lines[-1] == b"three"


def test_only_the_last_lines_of_stderr_are_kept() -> None:
    stream = AttachStream()
    for number in range(10_000):
        stream.feed(frame(STDERR, b"line %d\n" % number))
    tail = stream.stderr_tail.splitlines()
    assert tail == [f"line {number}" for number in range(9_950, 10_000)]


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, DockerChannel]]:
    """The engine's end of an attach stream, and a channel on ours."""
    far, near = socket.socketpair()
    with far, near:
        yield far, DockerChannel("gen-1", near, lambda: "exit code 3")


def test_what_is_sent_is_a_line_as_it_is(ends: tuple[socket.socket, DockerChannel]) -> None:
    far, channel = ends
    channel.send("größer")
    assert far.recv(100) == "größer\n".encode()


def test_a_timeout_names_the_companion_and_its_last_words(ends: tuple[socket.socket, DockerChannel]) -> None:
    far, channel = ends
    far.sendall(frame(STDERR, b"stuck\n"))
    with pytest.raises(GeneratorFailed, match=r"gen-1 gave no answer within 0\.1 s.*\n.*stuck"):
        channel.receive(0.1)


def test_the_end_names_how_it_came(ends: tuple[socket.socket, DockerChannel]) -> None:
    far, channel = ends
    far.sendall(frame(STDOUT, b"last\nhalf a li"))
    far.close()
    assert channel.receive(5) == "last"
    with pytest.raises(GeneratorFailed, match=r"ended \(exit code 3\)"):
        channel.receive(5)
    with pytest.raises(GeneratorFailed, match="took no more input"):
        channel.send("anyone?")
