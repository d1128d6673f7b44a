"""Ctrl-C: what a person reads, whoever was at work when the signal came."""

import pytest

from orchestration.errors import Interrupted
from orchestration.options import stopped_in_words


@pytest.mark.parametrize(
    "told",
    [KeyboardInterrupt(), RuntimeError("Query interrupted")],
    ids=["by Python", "by DuckDB"],
)
def test_an_interruption_is_told_in_words(told: BaseException) -> None:
    with pytest.raises(Interrupted, match="^stopped; "), stopped_in_words():
        raise told


def test_another_error_is_told_as_it_is() -> None:
    with pytest.raises(RuntimeError, match="^another$"), stopped_in_words():
        raise RuntimeError("another")
