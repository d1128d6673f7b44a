"""Random scenarios through the pipeline and through the model: equal to the cent.

One batch runs many independent scenarios side by side, so that a run of the pipeline
checks all of them; the suite runs one batch. The long profile draws other seeds:

    BILLING_PROPERTY_BATCHES=50 pytest tests/test_property.py

BILLING_PROPERTY_SCENARIOS sets how many scenarios a batch has, BILLING_PROPERTY_RUNS
how many runs (else two to four), BILLING_PROPERTY_SEED runs the batch of that seed
alone, BILLING_PROPERTY_SHRINK_ROUNDS how long a failing scenario is made smaller.
"""

import os
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from reference.comparison import RunBilling, compare
from reference.generator import (
    random_scenario,
    random_schedule,
)
from reference.scenarios import Scenario, Step
from reference.shrinking import shrink

BATCHES = os.environ.get("BILLING_PROPERTY_BATCHES")
SCENARIOS = int(os.environ.get("BILLING_PROPERTY_SCENARIOS", "16"))
SEED = os.environ.get("BILLING_PROPERTY_SEED")
RUNS = int(os.environ.get("BILLING_PROPERTY_RUNS", "0")) or None
SHRINK_ROUNDS = int(os.environ.get("BILLING_PROPERTY_SHRINK_ROUNDS", "6"))
# Seed 35: two closes with a run between them, the second of a leap February.
SEEDS = st.integers(0, 2**32 - 1) if BATCHES else st.just(int(SEED or 35))


@pytest.fixture(scope="session")
def run_billing() -> RunBilling:
    """The billing job, run in this process; a held contract would hide differences."""
    from orchestration.run import Settings, run_billing

    def run(home: Path, landing: Path, step: Step) -> None:
        run_billing(
            Settings(
                home,
                landing,
                step.as_of,
                step.issue_through,
                close_month=step.closes,
            )
        )

    return run


def scenario_of(seed: int, index: int, schedule: list[Step], prefix: str) -> Scenario:
    """A batch's scenario by its seed and place, its ids under any prefix."""
    rng = Random(f"{seed}/{index}")
    return random_scenario(rng, schedule, prefix)


# The seed alone says everything, so hypothesis has nothing to shrink: `shrink` does.
@settings(
    max_examples=int(BATCHES or 1),
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(seed=SEEDS)
def test_the_pipeline_bills_random_scenarios_as_the_rules_say(
    run_billing: RunBilling, seed: int
) -> None:
    schedule = random_schedule(Random(seed), RUNS)
    scenarios = [
        scenario_of(seed, index, schedule, f"s{index:03d}-")
        for index in range(SCENARIOS)
    ]
    with TemporaryDirectory(prefix="billing-property-") as directory:
        found = compare(run_billing, Path(directory) / "batch", scenarios)
        if not found:
            return
        prefixes = {difference.prefix for difference in found}
        failing = [i for i, s in enumerate(scenarios) if s.prefix in prefixes]
        written = [f"batch of seed {seed}: scenarios {sorted(prefixes)} differ"]
        if not failing:
            pytest.fail("\n".join(written + [str(difference) for difference in found]))
        index = min(failing, key=lambda i: scenarios[i].size)
        smallest, found_alone = shrink(
            lambda prefix: scenario_of(seed, index, schedule, prefix),
            run_billing,
            Path(directory) / "shrink",
            SHRINK_ROUNDS,
        )
    if not found_alone:
        own = scenarios[index].prefix
        written.append(f"scenario {own} does so beside the others only:")
        found_alone = [difference for difference in found if difference.prefix == own]
    written.append(smallest.describe())
    pytest.fail("\n".join(written + [str(difference) for difference in found_alone]))
