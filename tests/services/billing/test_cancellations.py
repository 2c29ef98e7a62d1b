"""When a contract can end, told as given, when, then; and the arithmetic of terms and notices, for any of them."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import assume, example
from hypothesis import given as holds_for
from hypothesis import strategies as st

from chassis.errors import Rejected
from contracts.billing import (
    CancellationConfirmed,
    CancellationRefused,
    CancellationRequested,
    CancellationWithdrawn,
    ContractTerminated,
)
from services.billing.cancellations.decider import (
    CANCELLATIONS,
    ConfirmCancellation,
    EndContract,
    RefuseSubmission,
    RequestCancellation,
    Submission,
    WithdrawCancellation,
)
from services.billing.cancellations.periods import Period, add_months, last_day
from services.billing.cancellations.rules import Ground, ending_on, first_ending, special_ground
from services.billing.cancellations.state import CancellableContract, Terms
from services.billing.contracts.state import SupplyContract
from tests.support import given

CONTRACT = SupplyContract(id="v", number="V-1", contact_id="a")
NAMED = {"contract_id": "v", "contract_number": "V-1", "contact_id": "a"}
TODAY = date(2026, 3, 10)
OPEN_ENDED = Terms(starts_on=date(2020, 1, 1))
TWO_YEARS = Terms(starts_on=date(2025, 1, 1), initial_term_months=24)
RENEWING = Terms(date(2020, 1, 1), 12, Period(months=3), 12)


def ends(terms: Terms, ground: Ground = "ordinary", today: date = TODAY, wished: date | None = None) -> tuple[str, str]:
    found = ending_on(terms, ground, today, wished)
    return found.ends_on.isoformat(), found.basis


class TestPeriods:
    @pytest.mark.parametrize(
        ("text", "period"),
        [
            ("P1M", Period(1)),
            ("P6W", Period(0, 42)),
            ("P14D", Period(0, 14)),
            ("P1Y6M", Period(18)),
            (" P0D ", Period()),
        ],
    )
    def test_are_read_and_written(self, text: str, period: Period) -> None:
        assert Period.parse(text) == period
        assert Period.parse(str(period)) == period

    @pytest.mark.parametrize("text", ["", "P", "1M", "P1", "PT1H", "P-1M", "P1M2", "P1D1M", "P1.5M"])
    def test_anything_else_is_none(self, text: str) -> None:
        with pytest.raises(ValueError, match="not a period"):
            Period.parse(text)

    def test_a_notice_ends_on_the_day_of_the_same_number(self) -> None:
        assert Period(1).after(date(2026, 3, 10)) == date(2026, 4, 10)
        assert Period(1).after(date(2026, 1, 31)) == date(2026, 2, 28)
        assert Period(1).after(date(2028, 1, 31)) == date(2028, 2, 29)
        assert Period(12).after(date(2028, 2, 29)) == date(2029, 2, 28)
        assert Period(0, 14).after(date(2026, 12, 24)) == date(2027, 1, 7)

    def test_a_term_ends_on_the_day_before(self) -> None:
        assert last_day(date(2025, 1, 1), 24) == date(2026, 12, 31)
        assert last_day(date(2025, 3, 15), 12) == date(2026, 3, 14)
        assert last_day(date(2026, 1, 31), 1) == date(2026, 2, 28)
        assert last_day(date(2026, 1, 29), 1) == date(2026, 2, 28)
        assert last_day(date(2028, 2, 29), 12) == date(2029, 2, 28)
        assert last_day(date(2028, 2, 29), 48) == date(2032, 2, 28)

    @holds_for(st.dates(date(1950, 1, 1), date(2150, 1, 1)), st.integers(0, 600), st.integers(0, 600))
    def test_months_never_run_backwards(self, day: date, months: int, more: int) -> None:
        assert add_months(day, months) <= add_months(day + timedelta(days=1), months)
        assert add_months(day, months) <= add_months(day, months + more)


class TestTerms:
    def test_without_a_term_a_month_from_any_day(self) -> None:
        assert ends(OPEN_ENDED) == ("2026-04-10", "open_ended")
        assert ends(Terms()) == ("2026-04-10", "open_ended")
        assert ends(OPEN_ENDED, wished=date(2026, 9, 17)) == ("2026-09-17", "open_ended")

    def test_no_more_than_a_month_binds_a_consumer(self) -> None:
        assert ends(replace(OPEN_ENDED, notice=Period(3))) == ("2026-04-10", "open_ended")
        assert ends(replace(OPEN_ENDED, notice=Period(0, 14))) == ("2026-03-24", "open_ended")

    def test_the_initial_term_is_kept_and_then_any_day_will_do(self) -> None:
        assert ends(TWO_YEARS) == ("2026-12-31", "initial_term")
        assert ends(TWO_YEARS, today=date(2026, 11, 30)) == ("2026-12-31", "initial_term")
        assert ends(TWO_YEARS, today=date(2026, 12, 1)) == ("2027-01-01", "open_ended")
        assert ends(TWO_YEARS, wished=date(2027, 1, 15)) == ("2027-01-15", "open_ended")
        with pytest.raises(Rejected, match="before_next_possible_date") as caught:
            ends(TWO_YEARS, wished=date(2026, 6, 30))
        assert caught.value.facts["next_possible_on"] == date(2026, 12, 31)

    def test_a_contract_that_renews_ends_with_a_term_only(self) -> None:
        assert ends(RENEWING) == ("2026-12-31", "renewal")
        assert ends(RENEWING, today=date(2026, 9, 30)) == ("2026-12-31", "renewal")
        assert ends(RENEWING, today=date(2026, 10, 1)) == ("2027-12-31", "renewal")
        assert ends(RENEWING, today=date(2020, 2, 1)) == ("2020-12-31", "initial_term")
        assert ends(RENEWING, wished=date(2028, 12, 31)) == ("2028-12-31", "renewal")
        with pytest.raises(Rejected, match="not_a_possible_end") as caught:
            ends(RENEWING, wished=date(2027, 6, 30))
        assert caught.value.facts["next_possible_on"] == date(2027, 12, 31)

    def test_a_term_from_the_end_of_a_month_does_not_wander(self) -> None:
        terms = Terms(date(2025, 1, 31), 1, Period(0, 1), 1)
        found = [first_ending(terms, "ordinary", date(2025, 1, 31) + timedelta(days=30 * n)).ends_on for n in range(5)]
        assert [day.isoformat() for day in found] == [
            *("2025-02-28", "2025-03-30", "2025-04-30", "2025-05-30", "2025-06-30")
        ]

    def test_basic_supply_ends_after_two_weeks(self) -> None:
        assert ends(replace(TWO_YEARS, basic_supply=True)) == ("2026-03-24", "basic_supply")

    def test_moving_out_takes_six_weeks_or_what_is_sooner(self) -> None:
        assert ends(TWO_YEARS, "moving_out") == ("2026-04-21", "moving_out")
        assert ends(TWO_YEARS, "moving_out", wished=date(2026, 6, 15)) == ("2026-06-15", "moving_out")
        assert ends(OPEN_ENDED, "moving_out") == ("2026-04-10", "open_ended")
        assert ends(replace(OPEN_ENDED, notice=None), "moving_out") == ("2026-04-21", "moving_out")

    def test_an_announced_price_change_needs_no_notice(self) -> None:
        announced = replace(TWO_YEARS, price_change_on=date(2026, 4, 1))
        assert ends(announced, "price_change") == ("2026-03-31", "price_change")
        assert ends(announced, "price_change", today=date(2026, 3, 31)) == ("2026-03-31", "price_change")
        for terms, day in ((TWO_YEARS, TODAY), (announced, date(2026, 4, 1))):
            with pytest.raises(Rejected, match="no_price_change"):
                ends(terms, "price_change", today=day)
        with pytest.raises(Rejected, match="not_a_possible_end"):
            ends(announced, "price_change", wished=date(2026, 5, 1))

    def test_a_special_reason_is_the_announced_change_or_a_move(self) -> None:
        announced = replace(TWO_YEARS, price_change_on=date(2026, 4, 1))
        assert special_ground(TWO_YEARS, TODAY, None) == "moving_out"
        assert special_ground(announced, date(2026, 4, 1), None) == "moving_out"
        assert special_ground(announced, TODAY, date(2026, 6, 15)) == "moving_out"
        assert special_ground(announced, TODAY, None) == "price_change"
        assert special_ground(announced, TODAY, date(2026, 3, 31)) == "price_change"

    def test_never_retroactively(self) -> None:
        with pytest.raises(Rejected, match="cancellation_in_past"):
            ends(OPEN_ENDED, wished=TODAY - timedelta(days=1))
        with pytest.raises(Rejected, match="cancellation_too_far"):
            ends(OPEN_ENDED, wished=date(2099, 1, 1))

    @pytest.mark.parametrize(
        "terms",
        [
            replace(OPEN_ENDED, notice=None),
            Terms(initial_term_months=12),
            Terms(renewal_months=12),
        ],
    )
    def test_what_is_not_known_is_not_guessed(self, terms: Terms) -> None:
        with pytest.raises(Rejected, match="contract_terms_unknown"):
            ends(terms)

    def test_are_read_from_a_record(self) -> None:
        record: dict[str, Any] = {"starts_on": "2025-01-01", "initial_term_months": 24, "notice": "P2W"}
        assert Terms.read(record) == Terms(date(2025, 1, 1), 24, Period(0, 14))
        assert Terms.read({}) == Terms()
        odd: dict[str, Any] = {"starts_on": "9999-12-31", "initial_term_months": -3, "notice": "soon"}
        assert Terms.read({**odd, "renewal_months": True, "basic_supply": "yes"}) == Terms(notice=None)


days = st.dates(date(2015, 1, 1), date(2045, 1, 1))
periods = st.builds(Period, st.integers(0, 6), st.integers(0, 60))
terms_of_any_kind = st.builds(
    Terms,
    starts_on=days,
    initial_term_months=st.integers(0, 36),
    notice=periods,
    renewal_months=st.sampled_from([0, 0, 1, 3, 12, 24]),
    basic_supply=st.booleans(),
    price_change_on=st.none() | days,
)
grounds = st.sampled_from(["ordinary", "moving_out", "price_change"])


def request(terms: Terms, **other: Any) -> RequestCancellation:
    command = RequestCancellation(CancellableContract(CONTRACT, terms, "active"), "c-1", TODAY)
    return replace(command, **other)


@holds_for(terms_of_any_kind, grounds, days, st.none() | st.integers(0, 900))
@example(RENEWING, "ordinary", date(2026, 10, 1), None)
def test_what_a_preview_says_is_accepted_the_same_day_and_is_never_past(
    terms: Terms, ground: Ground, today: date, later: int | None
) -> None:
    wished = None if later is None else today + timedelta(days=later)
    if ground == "price_change" and not (terms.price_change_on and terms.price_change_on > today):
        with pytest.raises(Rejected, match="no_price_change"):
            first_ending(terms, ground, today, wished)
        return
    shown = first_ending(terms, ground, today, wished)
    assert shown.ends_on >= max(today, terms.starts_on or today) or ground == "price_change"
    assert shown.ends_on >= today
    assert wished is None or shown.ends_on >= wished or ground == "price_change"
    (event,) = CANCELLATIONS.decide(
        request(terms, ground=ground, today=today, wished=shown.ends_on), CANCELLATIONS.initial
    )
    assert isinstance(event, CancellationRequested)
    assert (event.ends_on, event.basis) == (shown.ends_on, shown.basis)


@holds_for(terms_of_any_kind, grounds, days, st.integers(1, 500))
def test_who_waits_is_not_free_earlier(terms: Terms, ground: Ground, today: date, wait: int) -> None:
    try:
        later = first_ending(terms, ground, today + timedelta(days=wait))
    except Rejected:
        return
    assert first_ending(terms, ground, today).ends_on <= later.ends_on


@holds_for(terms_of_any_kind, days, st.integers(0, 900))
def test_no_possible_end_is_passed_over(terms: Terms, today: date, back: int) -> None:
    first = first_ending(terms, "ordinary", today).ends_on
    wished = first - timedelta(days=back)
    assume(back and wished >= today)
    with pytest.raises(Rejected, match="before_next_possible_date"):
        ending_on(terms, "ordinary", today, wished)


def requested(**other: Any) -> CancellationRequested:
    event = CancellationRequested(
        **NAMED,
        cancellation_id="c-1",
        requested_on=TODAY,
        ends_on=date(2026, 4, 10),
        basis="open_ended",
        notice="P1M",
        reason=None,
        submission_id=None,
        effect=None,
        portal_id=None,
    )
    return event.model_copy(update=other)


ENDS_ON = date(2026, 4, 10)
CONFIRMED = CancellationConfirmed(**NAMED, cancellation_id="c-1", ends_on=ENDS_ON, portal_id=None)
WITHDRAWN = CancellationWithdrawn(**NAMED, cancellation_id="c-1", reason="Stays", portal_id=None)
TERMINATED = ContractTerminated(**NAMED, cancellation_id="c-1", ends_on=ENDS_ON)


class TestRequesting:
    def test_to_the_next_possible_day(self) -> None:
        given(CANCELLATIONS).when(request(OPEN_ENDED)).then(requested())
        wish = request(TWO_YEARS, wished=date(2026, 12, 31), reason="moving", portal_id="customers")
        told = {"ends_on": date(2026, 12, 31), "basis": "initial_term", "reason": "moving", "portal_id": "customers"}
        given(CANCELLATIONS).when(wish).then(requested(**told))

    def test_once(self) -> None:
        given(CANCELLATIONS, requested()).when(request(OPEN_ENDED)).then()
        other = request(OPEN_ENDED, cancellation_id="c-2")
        given(CANCELLATIONS, requested()).when(other).rejects("already_in_cancellation", ends_on=ENDS_ON)
        given(CANCELLATIONS, requested(), CONFIRMED).when(other).rejects("already_in_cancellation")
        given(CANCELLATIONS, requested(), CONFIRMED, TERMINATED).when(other).rejects("contract_terminated")

    def test_again_after_it_was_withdrawn_whatever_the_record_still_says(self) -> None:
        contract = CancellableContract(CONTRACT, OPEN_ENDED, "in_cancellation")
        again = request(OPEN_ENDED, cancellation_id="c-2", contract=contract)
        given(CANCELLATIONS, requested(), WITHDRAWN).when(again).then(requested(cancellation_id="c-2"))

    @pytest.mark.parametrize("status", ["draft", "in_cancellation", "terminated"])
    def test_only_an_active_contract(self, status: str) -> None:
        contract = CancellableContract(CONTRACT, OPEN_ENDED, status)
        given(CANCELLATIONS).when(request(OPEN_ENDED, contract=contract)).rejects("contract_not_active", status=status)

    def test_a_submission_is_answered_also_when_it_is_refused(self) -> None:
        submission = Submission("s-1", 2)
        refused = CancellationRefused(**NAMED, submission_id="s-1", effect=2, code="", portal_id=None)
        asked = request(OPEN_ENDED, submission=submission)
        given(CANCELLATIONS).when(asked).then(requested(submission_id="s-1", effect=2))
        past = replace(asked, wished=date(2026, 3, 9))
        given(CANCELLATIONS).when(past).then(refused.model_copy(update={"code": "cancellation_in_past"}))
        second = replace(asked, cancellation_id="c-2")
        answer = refused.model_copy(update={"code": "already_in_cancellation"})
        given(CANCELLATIONS, requested()).when(second).then(answer)
        foreign = RefuseSubmission(CONTRACT, submission, "not_found", None)
        given(CANCELLATIONS).when(foreign).then(refused.model_copy(update={"code": "not_found"}))


class TestDeciding:
    def test_confirmed_once(self) -> None:
        given(CANCELLATIONS, requested()).when(ConfirmCancellation("c-1")).then(CONFIRMED)
        given(CANCELLATIONS, requested()).when(ConfirmCancellation()).then(CONFIRMED)
        given(CANCELLATIONS, requested(), CONFIRMED).when(ConfirmCancellation()).then()
        given(CANCELLATIONS, requested(), CONFIRMED, TERMINATED).when(ConfirmCancellation("c-1")).then()

    def test_only_the_one_under_way(self) -> None:
        given(CANCELLATIONS).when(ConfirmCancellation()).rejects("cancellation_not_found")
        given(CANCELLATIONS, requested()).when(ConfirmCancellation("c-0")).rejects("cancellation_not_found")
        of_another = ConfirmCancellation(submission_id="s-2")
        given(CANCELLATIONS, requested()).when(of_another).rejects("cancellation_not_found")
        given(CANCELLATIONS, requested(submission_id="s-1")).when(of_another).rejects("cancellation_not_found")
        given(CANCELLATIONS, requested(submission_id="s-2")).when(of_another).then(CONFIRMED)
        given(CANCELLATIONS, requested(), WITHDRAWN).when(ConfirmCancellation("c-1")).rejects("cancellation_not_found")
        given(CANCELLATIONS).when(WithdrawCancellation("c-1", "x")).rejects("cancellation_not_found")

    def test_withdrawn_until_it_is_over(self) -> None:
        withdraw = WithdrawCancellation("c-1", "Stays")
        given(CANCELLATIONS, requested()).when(withdraw).then(WITHDRAWN)
        given(CANCELLATIONS, requested(), CONFIRMED).when(withdraw).then(WITHDRAWN)
        given(CANCELLATIONS, requested(), CONFIRMED, TERMINATED).when(withdraw).rejects("contract_terminated")


class TestEnding:
    def test_when_the_last_day_is_over(self) -> None:
        over = EndContract("c-1", ENDS_ON + timedelta(days=1))
        given(CANCELLATIONS, requested(), CONFIRMED).when(over).then(TERMINATED)
        given(CANCELLATIONS, requested(), CONFIRMED).when(replace(over, today=ENDS_ON)).then()
        given(CANCELLATIONS, requested(), CONFIRMED, TERMINATED).when(over).then()

    def test_not_without_confirmation_nor_for_another_cancellation(self) -> None:
        over = EndContract("c-1", ENDS_ON + timedelta(days=1))
        given(CANCELLATIONS).when(over).then()
        given(CANCELLATIONS, requested()).when(over).then()
        given(CANCELLATIONS, requested(), CONFIRMED, WITHDRAWN).when(over).then()
        confirmed = CONFIRMED.model_copy(update={"cancellation_id": "c-2"})
        given(CANCELLATIONS, requested(cancellation_id="c-2"), confirmed).when(over).then()
