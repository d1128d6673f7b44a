"""The unit tests of the dbt models, each named for the rule it proves."""

from conftest import BilledBook

from orchestration.dbt_project import failure_message, run_unit_tests
from orchestration.home import Home
from orchestration.keys import Keys


def test_the_unit_tests_of_the_models_pass(billed_book: BilledBook) -> None:
    home = Home(billed_book.home)
    Keys.of(home).hand_to_dbt(home)
    with home.lock("unit tests"):
        results = run_unit_tests()
    assert len(results) >= 18
    assert failure_message(results) is None
