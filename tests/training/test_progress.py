"""What is seen of models while they are trained."""

import logging

import pytest

from advx.progress import ModelBar


def test_a_line_for_every_trained_model_where_there_is_no_terminal(caplog, monkeypatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: False, raising=False)
    caplog.set_level(logging.INFO)
    bar = ModelBar(3)
    with bar.model("maxout, seed 0", 5) as show:
        for epoch in range(1, 4):
            show(epoch, "")
    with bar.model("gan, seed 1", 2) as show:
        show(1, "D 0.6")
        show(2, "D 0.5")
    with bar.model("kept, seed 0", 5):
        pass  # it came from the store
    lines = [record.getMessage() for record in caplog.records]
    assert [line.split(":")[0] for line in lines] == ["maxout, seed 0", "gan, seed 1"]
    assert lines[0].endswith("to epoch 3/5")
    assert lines[1].endswith("to epoch 2/2, D 0.5")
    bar.close()


def test_a_model_that_fails_is_logged_as_far_as_it_came(caplog, monkeypatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: False, raising=False)
    caplog.set_level(logging.INFO)

    def fails() -> None:
        with ModelBar(1).model("maxout, seed 0", 5) as show:
            show(1, "")
            raise ValueError("a loss is NaN")

    with pytest.raises(ValueError, match="a loss is NaN"):
        fails()
    assert caplog.records[0].getMessage().endswith("to epoch 1/5")


def test_the_bar_advances_by_epochs_and_ends_every_model_at_a_whole_one(
    monkeypatch, capsys
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    bar = ModelBar(2)
    with bar.model("first", 4) as show:
        show(1, "")
        assert bar._bar.n == pytest.approx(0.25)
        show(2, "")  # stopped early
    assert bar._bar.n == pytest.approx(1)
    with bar.model("not counted", 4, share=0) as show:
        show(2, "")
    assert bar._bar.n == pytest.approx(1)
    with bar.model("second", 4) as show:
        show(6, "")
        assert bar._bar.n == pytest.approx(2)
    assert bar._bar.n == pytest.approx(2)
    bar.close()
    assert "second, epoch 6/4" in capsys.readouterr().err


def test_outside_of_a_bar_nothing_is_said(caplog, capsys) -> None:
    caplog.set_level(logging.INFO)
    with ModelBar().model("maxout, seed 0", 5) as show:
        show(1, "")
    assert not caplog.records
    assert capsys.readouterr().err == ""
