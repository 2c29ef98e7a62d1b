"""What the invented Stadtwerke Lindenau sell, where, and to whom one writes there. Nobody real is meant."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Product:
    """A tariff; `monthly_euros` are the lowest and the highest usual instalment."""

    division: str
    name: str
    monthly_euros: tuple[int, int]


ELECTRICITY = (
    Product("electricity", "Strom Öko+", (38, 150)),
    Product("electricity", "Strom Klassik", (35, 145)),
    Product("electricity", "Strom Flex 12", (40, 160)),
    Product("electricity", "Wärmestrom Nacht", (60, 190)),
)
GAS = (
    Product("gas", "Erdgas Komfort", (65, 240)),
    Product("gas", "Erdgas Klassik", (60, 230)),
    Product("gas", "Biogas 10", (80, 260)),
)
OTHERS = (
    Product("water", "Trinkwasser", (18, 60)),
    Product("heat", "Fernwärme Lindenau", (70, 210)),
)

PLACES = (
    ("01945", "Lindenau"),
    ("01945", "Lindenau"),
    ("01945", "Lindenau"),
    ("01945", "Ruhland"),
    ("01945", "Tettau"),
    ("01945", "Frauendorf"),
    ("01945", "Kroppen"),
    ("01945", "Hermsdorf"),
    ("01990", "Ortrand"),
    ("01990", "Großkmehlen"),
    ("01987", "Schwarzheide"),
    ("01979", "Lauchhammer"),
    ("01968", "Senftenberg"),
)
STREETS = (
    "Ahornweg",
    "Alte Mühlgasse",
    "Am Anger",
    "Am Sportplatz",
    "Am Stadtgraben",
    "Amselweg",
    "An der Pulsnitz",
    "August-Bebel-Straße",
    "Bahnhofstraße",
    "Bergstraße",
    "Birkenallee",
    "Bischofswerdaer Straße",
    "Dorfaue",
    "Dresdner Straße",
    "Eichenweg",
    "Feldstraße",
    "Fliederweg",
    "Friedensstraße",
    "Gartenstraße",
    "Geschwister-Scholl-Straße",
    "Goethestraße",
    "Hauptstraße",
    "Heideweg",
    "Kastanienallee",
    "Kirchgasse",
    "Lange Straße",
    "Lindenstraße",
    "Markt",
    "Mittelstraße",
    "Mühlenweg",
    "Parkstraße",
    "Ringstraße",
    "Rosa-Luxemburg-Straße",
    "Schillerstraße",
    "Schloßstraße",
    "Schulstraße",
    "Siedlerweg",
    "Teichstraße",
    "Waldstraße",
    "Wiesengrund",
)
#: Reserved for such use: addresses by RFC 2606, numbers by the Bundesnetzagentur ("Drama-Rufnummern").
MAIL_DOMAINS = ("example.org", "example.com", "example.net")
PHONES = ("+49 30 23125 {:03d}", "+49 89 99998 {:03d}", "+49 40 66969 {:03d}", "+49 69 90009 {:03d}")
