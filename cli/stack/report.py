"""What `up` tells when everything is ready: addresses, how long it took, how much memory it takes."""

import psutil
from rich.console import Console
from rich.table import Table

from cli.invocation import portico
from cli.stack.gateway import STAFF, index_url, site_url
from cli.stack.state import Record


def show_ready(record: Record, seconds: float) -> None:
    """Prints the addresses, the time to ready and the resident memory of all processes."""
    console = Console(stderr=True, highlight=False)
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column()
    table.add_row("portals", index_url(record.ports))
    table.add_row("staff", site_url(STAFF, record.ports))
    table.add_row("all APIs", f"{record.front_url}/api/docs")
    for name, url in record.services.items():
        table.add_row(name, url)
    if record.mailbox_url:
        table.add_row("mailbox", f"{record.mailbox_url}  ({record.smtp_url})")
    table.add_row("Kafka", record.kafka_servers)
    table.add_row("PostgreSQL", record.database_url.rpartition("@")[2])
    console.print(table)
    memory = resident_bytes(record.pid) / 2**20
    console.print(f"\nReady after [bold]{seconds:.1f} s[/], [bold]{memory:.0f} MB[/] resident in all.")
    console.print(f'Addresses and a token for another shell: [bold]eval "$({portico()} env)"[/]. Ctrl-C stops.')


def resident_bytes(pid: int) -> int:
    """Memory of a process and all below it; pages that several of them share count once where the system can tell."""
    root = psutil.Process(pid)
    return sum(_own_bytes(process) for process in [root, *root.children(recursive=True)])


def _own_bytes(process: psutil.Process) -> int:
    try:
        full = process.memory_full_info()
        return int(getattr(full, "pss", full.rss))
    except psutil.NoSuchProcess:
        return 0
    except psutil.AccessDenied:
        return int(process.memory_info().rss)
