"""People bought under another account of the same ledger are pointed out before they cost again."""

from crust_pipeline_tests.command_line import Ended, crust
from crust_pipeline_tests.people import DAYS

PERIOD = ("--from", str(DAYS[0]), "--to", str(DAYS[-1]), "--operation", "enrich")


def told(ended: Ended) -> str:
    return " ".join(ended.out.split())


def test_plan_and_run_say_who_is_bought_under_another_account_and_how_to_join_it(
    settings: dict[str, str],
) -> None:
    assert crust("run", *PERIOD, settings=settings | {"CRUST_ACCOUNT": "sales"}).code == 0
    other = settings | {"CRUST_ACCOUNT": "marketing"}
    note = "10 of the people to ask for are bought already under the account sales of this ledger"

    for command in ("plan", "run"):
        done = crust(command, *PERIOD, settings=other)
        assert note in told(done)
        assert "With CRUST_ACCOUNT=sales they are not bought again" in told(done)
    assert note not in told(crust("plan", *PERIOD, settings=other))  # now they are bought


def test_what_a_test_server_sold_is_not_offered_to_a_real_account(settings: dict[str, str]) -> None:
    assert crust("run", *PERIOD, settings=settings).code == 0
    real = settings | {"CRUSTDATA_BASE_URL": "https://proxy.example"}
    planned = crust("plan", *PERIOD, settings=real)
    assert planned.code == 0
    assert "are bought already" not in told(planned)


def test_an_account_that_was_named_after_its_proxy_goes_on_with_what_it_has_bought(
    settings: dict[str, str],
) -> None:
    proxy = {"CRUST_ACCOUNT": "proxy.example"}  # what an earlier release called it by itself
    assert crust("run", *PERIOD, settings=settings | proxy).code == 0

    now = settings | {"CRUSTDATA_BASE_URL": "https://proxy.example"}
    (planned,) = crust("plan", *PERIOD, "--json", settings=now).json

    assert planned["batches"] == []


def test_an_account_with_a_name_of_its_own_does_not_take_over_what_a_proxy_has_bought(
    settings: dict[str, str],
) -> None:
    proxy = {"CRUST_ACCOUNT": "proxy.example"}
    assert crust("run", *PERIOD, settings=settings | proxy).code == 0

    other = {"CRUSTDATA_BASE_URL": "https://proxy.example", "CRUST_ACCOUNT": "marketing"}
    (planned,) = crust("plan", *PERIOD, "--json", settings=settings | other).json

    assert planned["bought_elsewhere"] == {"proxy.example": 10}
