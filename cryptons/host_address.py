"""Read the address of a server from a setting, which may hold a name, an IPv4 or IPv6 address, a port, or a URL."""


def host_and_port(text: str, default_port: int) -> str:
    """Return `host:port` or `[IPv6]:port`, with the default port where the text names none.

    `::1`, `[::1]`, `[::1]:10009`, `lnd.example`, `lnd.example:10009` and `https://lnd.example:10009/` are understood.
    """
    address = text.strip().partition("://")[2] or text.strip()
    address = address.partition("/")[0]
    if address.startswith("["):
        host, _, rest = address[1:].partition("]")
        return f"[{host}]:{rest.removeprefix(':') or default_port}"
    if address.count(":") > 1:
        return f"[{address}]:{default_port}"
    host, _, port = address.partition(":")
    return f"{host}:{port or default_port}"
