"""Bars tell a rate in the units of the work, whatever the blocks it is done in."""

from __future__ import annotations

import io

import pytest

from corespot.progress import track


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def drawn(monkeypatch: pytest.MonkeyPatch, blocks: list[slice], **options: object) -> str:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr("tqdm.std.tqdm.monitor_interval", 0)
    assert list(track(blocks, label="preprocess", unit="spectra", **options)) == blocks
    return terminal.getvalue()


def test_uneven_blocks_are_counted_by_what_is_in_them(monkeypatch):
    seen = []
    blocks = [slice(0, 70), slice(70, 75), slice(75, 100)]

    def size(rows: slice) -> int:
        seen.append(rows)
        return rows.stop - rows.start

    text = drawn(monkeypatch, blocks, total=100, scale=size)
    assert seen == blocks
    assert "0/100 [" in text
    assert "spectra/s]" in text


def test_even_blocks_are_counted_by_their_size(monkeypatch):
    assert "0/30 [" in drawn(monkeypatch, [slice(0, 10)] * 3, scale=10)


def test_nobody_watches_nothing_is_drawn(monkeypatch):
    quiet = io.StringIO()
    monkeypatch.setattr("sys.stderr", quiet)
    assert list(track([1, 2], label="preprocess")) == [1, 2]
    assert quiet.getvalue() == ""
