"""Lines over pipes, with a plain pipe in the companion's place."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.adapters import pipe_channel
from harness.adapters.pipe_channel import PipeChannel
from harness.errors import GeneratorFailed


class Companion:
    """The far ends of a channel's pipes."""

    def __init__(self, stderr: Path) -> None:
        theirs, ours = os.pipe()
        self.stdin = os.fdopen(theirs, "rb")
        outgoing = os.fdopen(ours, "wb")
        theirs_out, self._out = os.pipe()
        self.stderr = stderr
        stderr.touch()
        self.waited_s: list[float] = []
        self.channel = PipeChannel(
            "agent",
            stdin=outgoing,
            stdout=os.fdopen(theirs_out, "rb"),
            stderr=stderr,
            exit_code=self._exit_code,
        )

    def say(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._out, data) :]

    def end(self) -> None:
        os.close(self._out)

    def _exit_code(self, within_s: float) -> int:
        self.waited_s.append(within_s)
        return 7


@pytest.fixture
def companion(tmp_path: Path) -> Iterator[Companion]:
    made = Companion(tmp_path / "stderr")
    yield made
    made.channel.close()


def test_lines_arrive_in_order_however_they_were_cut(companion: Companion) -> None:
    for piece in (b"one\ntwo\nth", b"ree", b"\n\n"):
        companion.say(piece)
    assert [companion.channel.receive(5) for _ in range(4)] == ["one", "two", "three", ""]


def test_a_line_of_ten_megabytes_arrives_whole(companion: Companion) -> None:
    line = b"0123456789" * 1_000_000
    writer = threading.Thread(target=companion.say, args=(line + b"\nnext\n",))
    writer.start()
    assert companion.channel.receive(20) == line.decode()
    assert companion.channel.receive(5) == "next"
    writer.join()


def test_what_is_sent_arrives_as_a_line(companion: Companion) -> None:
    companion.channel.send("grüße")
    assert companion.stdin.readline() == "grüße\n".encode()


def test_silence_is_a_failed_generator(companion: Companion) -> None:
    companion.say(b"half a line")
    with pytest.raises(GeneratorFailed, match=r"agent gave no answer within 0\.05 s"):
        companion.channel.receive(0.05)


def test_an_end_tells_the_exit_code_and_the_last_words(companion: Companion) -> None:
    companion.stderr.write_text("".join(f"line {n}\n" for n in range(100)))
    companion.end()
    with pytest.raises(GeneratorFailed, match=r"ended \(exit code 7\)") as caught:
        companion.channel.receive(5)
    words = str(caught.value).splitlines()
    assert (words[1], words[-1]) == ("line 50", "line 99")
    assert companion.waited_s == [pipe_channel.ENDING_S]


def test_a_companion_that_no_longer_reads_is_a_failed_generator(companion: Companion) -> None:
    companion.stdin.close()
    with pytest.raises(GeneratorFailed, match="took no more input"):
        companion.channel.send("anyone?")


def test_a_line_without_end_is_cut_off(companion: Companion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipe_channel, "MAX_LINE_BYTES", 1 << 20)
    writer = threading.Thread(target=companion.say, args=(b"x" * (1 << 20) + b"xx",))
    writer.start()
    with pytest.raises(GeneratorFailed, match="more than 1 MiB"):
        companion.channel.receive(20)
    writer.join()
