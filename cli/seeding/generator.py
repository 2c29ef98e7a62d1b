"""Customers with their contracts and 14 months of what an ERP has to say about them, from a seed and a day. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from random import Random

from faker.providers.person.de_DE import Provider as Names

from cli.seeding.accounts import add_months, messages_of
from cli.seeding.lindenau import ELECTRICITY, GAS, MAIL_DOMAINS, OTHERS, PHONES, PLACES, STREETS, Product
from contracts.erp import ErpMessage

MAXIMUM_CUSTOMERS = 999_999
CONTACT_COLUMNS = (
    "customer_number",
    "salutation",
    "first_name",
    "last_name",
    "language",
    "divisions",
    "email",
    "phone",
    "street",
    "postcode",
    "city",
)
CONTRACT_COLUMNS = (
    "number",
    "status",
    "division",
    "product",
    "starts_on",
    "delivery_street",
    "delivery_postcode",
    "delivery_city",
    "holder",
)
FEMALE, MALE, FAMILY = (
    tuple(dict.fromkeys(names)) for names in (Names.first_names_female, Names.first_names_male, Names.last_names)
)
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})


@dataclass(frozen=True, slots=True)
class Contract:
    """A row for the import of contracts, and the ERP's messages about it in their order."""

    row: tuple[str, ...]
    messages: tuple[ErpMessage, ...]


@dataclass(frozen=True, slots=True)
class Customer:
    """A row for the import of contacts, and the customer's contracts."""

    row: tuple[str, ...]
    contracts: tuple[Contract, ...]


def customers(count: int, seed: int, today: date) -> Iterator[Customer]:
    """Customers one by one; each depends on the seed, its number and the day alone."""
    for number in range(1, count + 1):
        yield _customer(Random(f"{seed}/{number}"), f"{seed}{number:06d}", today)  # noqa: S311 no secret


def _customer(random: Random, number: str, today: date) -> Customer:
    female = random.random() < 0.5
    first_name = random.choice(FEMALE if female else MALE)
    last_name = random.choice(FAMILY)
    customer_number = f"K-{number}"
    postcode, city = random.choice(PLACES)
    street = f"{random.choice(STREETS)} {random.randint(1, 98)}{random.choice(('', '', '', '', 'a', 'b'))}"
    products = _products(random)
    row = (
        customer_number,
        "ms" if female else "mr",
        first_name,
        last_name,
        "en" if random.random() < 0.04 else "de",
        "|".join(product.division for product in products),
        _email(random, first_name, last_name, number),
        random.choice(PHONES).format(random.randrange(1000)) if random.random() < 0.85 else "",
        street,
        postcode,
        city,
    )
    delivery = (street, postcode, city, customer_number)
    contracts = tuple(
        _contract(random, f"V-{number}-{place}", product, delivery, today) for place, product in enumerate(products, 1)
    )
    return Customer(row, contracts)


def _products(random: Random) -> tuple[Product, ...]:
    """One or two of different divisions."""
    first = random.choice(ELECTRICITY) if random.random() < 0.85 else random.choice(GAS)
    if random.random() < 0.65:
        return (first,)
    second = random.choice(GAS) if random.random() < 0.8 else random.choice(OTHERS)
    return (first, second) if second.division != first.division else (first,)


def _email(random: Random, first_name: str, last_name: str, number: str) -> str:
    local = ".".join(_ascii(name) for name in (first_name, last_name))
    return f"{local}.{int(number[-6:])}@{random.choice(MAIL_DOMAINS)}"


def _ascii(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.lower().translate(_UMLAUTS))
    return "".join(character if character.isalnum() else "-" for character in plain if character.isascii())


def _contract(random: Random, number: str, product: Product, delivery: tuple[str, ...], today: date) -> Contract:
    months_ago = random.randint(1, 13) if random.random() < 0.12 else random.randint(14, 120)
    starts_on = add_months(today.replace(day=1), -months_ago)
    row = (number, "active", product.division, product.name, starts_on.isoformat(), *delivery)
    return Contract(row, tuple(messages_of(random, number, product, starts_on, today)))
