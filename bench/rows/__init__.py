"""The rows of the table, in its order."""

from bench.harness import Row
from bench.rows import command, erp, gateway, growth, limits, portal, requests, topics, whole

ROWS: tuple[Row, ...] = (
    *limits.ROWS,
    *command.ROWS,
    *topics.ROWS,
    *requests.ROWS,
    *portal.ROWS,
    *gateway.ROWS,
    *erp.ROWS,
    *whole.ROWS,
    *growth.ROWS,
)
