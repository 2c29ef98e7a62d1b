"""The seed's customers: always the same for a seed and a day, plausible, and such that the services take them."""

import hashlib
from datetime import date, timedelta

import pytest
from pydantic import ValidationError

from chassis.errors import Rejected
from cli.seeding.files import csv_bytes, erp_record
from cli.seeding.generator import CONTACT_COLUMNS, CONTRACT_COLUMNS, Customer, customers
from cli.seeding.lindenau import MAIL_DOMAINS
from contracts.erp import ERP_REGISTRY, BillingEvent, InstalmentPlan
from contracts.ids import record_id
from services.entities.app import SCHEMAS
from services.entities.imports.reading import read_rows
from services.entities.records.decider import PutRecord, decider_of
from services.entities.rows import read_row

TODAY = date(2026, 11, 21)


def digest(some: list[Customer]) -> str:
    hashed = hashlib.sha256()
    for customer in some:
        hashed.update(repr(customer.row).encode())
        for contract in customer.contracts:
            hashed.update(repr(contract.row).encode())
            for message in contract.messages:
                record = erp_record(message)
                hashed.update(b"\0".join([record.key, record.value, repr(record.headers).encode()]))
    return hashed.hexdigest()


@pytest.fixture(scope="module")
def hundred() -> list[Customer]:
    return list(customers(100, 1, TODAY))


def test_the_same_seed_and_day_make_the_same_bytes(hundred: list[Customer]) -> None:
    assert digest(list(customers(100, 1, TODAY))) == digest(hundred)
    assert digest(list(customers(100, 2, TODAY))) != digest(hundred)
    assert digest(list(customers(100, 1, TODAY + timedelta(days=40)))) != digest(hundred)


def test_more_customers_begin_with_the_same_ones(hundred: list[Customer]) -> None:
    assert digest(list(customers(10, 1, TODAY))) == digest(hundred[:10])


def test_seeds_do_not_share_numbers() -> None:
    assert not {c.row[0] for c in customers(50, 1, TODAY)} & {c.row[0] for c in customers(50, 11, TODAY)}


@pytest.mark.parametrize("today", [TODAY, date(2028, 2, 29), date(2027, 1, 1), date(2026, 12, 31)])
def test_every_message_is_what_the_contracts_say(today: date) -> None:
    ids = set()
    for customer in customers(60, 3, today):
        for contract in customer.contracts:
            plan, *events = contract.messages
            assert isinstance(plan, InstalmentPlan)
            assert len(plan.schedule) == 12
            assert today < plan.schedule[0].due_on <= today + timedelta(days=31)
            assert plan.valid_from <= today
            for message in contract.messages:
                record = erp_record(message)
                headers = dict(record.headers)
                assert record.key.decode() == contract.row[0]
                assert ERP_REGISTRY[headers["ce_type"].decode()].model_validate_json(record.value) == message
                assert headers["ce_id"] not in ids
                ids.add(headers["ce_id"])
            external_ids = [event.external_id for event in events if isinstance(event, BillingEvent)]
            assert len(external_ids) == len(set(external_ids)) == len(events)


def test_history_is_plausible(hundred: list[Customer]) -> None:
    contracts = [contract for customer in hundred for contract in customer.contracts]
    assert 100 < len(contracts) <= 200
    events = [m for contract in contracts for m in contract.messages if isinstance(m, BillingEvent)]
    assert {event.kind for event in events} >= {"instalment", "invoice", "reimbursement", "dunning_fee"}
    assert min(event.due_on for event in events) >= date(2025, 10, 1)
    assert all((event.status == "closed") == (event.paid_on is not None) for event in events)
    assert all(event.paid_on is None or event.paid_on <= TODAY for event in events)
    overdue = {e.contract for e in events if e.status == "open" and e.direction == "debit" and e.due_on < TODAY}
    assert 0 < len(overdue) < len(contracts) / 4
    for contract in contracts:
        starts_on = date.fromisoformat(contract.row[CONTRACT_COLUMNS.index("starts_on")])
        assert all(m.due_on >= starts_on for m in contract.messages if isinstance(m, BillingEvent))


def test_nobody_real_gets_mail(hundred: list[Customer]) -> None:
    mails = [customer.row[CONTACT_COLUMNS.index("email")] for customer in hundred]
    assert {mail.partition("@")[2] for mail in mails} <= set(MAIL_DOMAINS)
    assert len(set(mails)) == len(mails)


def test_every_row_is_accepted_by_its_schema() -> None:
    some = list(customers(1_500, 7, TODAY))
    files = {
        "contact": csv_bytes(CONTACT_COLUMNS, (customer.row for customer in some)),
        "contract": csv_bytes(CONTRACT_COLUMNS, (c.row for customer in some for c in customer.contracts)),
    }
    for entity, body in files.items():
        schema = SCHEMAS[entity]
        decider = decider_of(schema)
        for raw in read_rows(schema, body, "text/csv"):
            row = read_row(schema, raw.cells)
            relations = {n: tuple(record_id("contact", i) for i in ids) for n, ids in row.references.items()}
            command = PutRecord(record_id(entity, row.external_id), row.external_id, row.values, relations)
            try:
                assert len(decider.decide(command, decider.initial)) == 1
            except (Rejected, ValidationError) as refused:
                pytest.fail(f"{raw}: {refused}")
