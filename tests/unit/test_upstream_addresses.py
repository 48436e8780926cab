import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from server.upstream.addresses import GuardedResolver, check_literal, is_allowed, is_public, literal
from server.upstream.failures import UpstreamRefused

LOOPBACK = IPv4Network("127.0.0.0/8")

INTERNAL = [
    "0.0.0.0",  # noqa: S104 - nothing is bound to it
    "10.0.0.1",
    "100.64.0.1",  # carrier NAT
    "100.100.100.200",
    "127.0.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.192",
    "192.0.2.1",  # documentation
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",  # benchmarks
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",  # Teredo
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2002:808:808::1",  # 6to4 is gone, public or not
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fe80::1",
    "fe80::1%1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]
PUBLIC = ["8.8.8.8", "192.0.1.1", "2606:4700:4700::1111", "64:ff9b::808:808"]


@pytest.mark.parametrize("text", INTERNAL)
def test_an_internal_address_is_not_public(text: str) -> None:
    assert not is_public(ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_an_address_of_the_internet_is_public(text: str) -> None:
    assert is_public(ip_address(text))


def test_a_listed_network_is_allowed_and_only_that() -> None:
    assert is_allowed(IPv4Address("127.0.0.1"), [LOOPBACK])
    assert not is_allowed(IPv4Address("10.0.0.1"), [LOOPBACK])


def test_a_listed_network_does_not_allow_its_addresses_in_another_spelling() -> None:
    for text in ("::ffff:127.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1"):
        assert not is_allowed(IPv6Address(text), [LOOPBACK])


def test_a_listed_ipv6_network_is_allowed() -> None:
    assert is_allowed(IPv6Address("fd00::1"), [LOOPBACK, IPv6Network("fd00::/64")])


@pytest.mark.parametrize("host", ["index.example", "localhost", "index.example.", "a-b_c.example", "1.2.x", "xn--a"])
def test_a_name_is_no_literal(host: str) -> None:
    assert literal(host) is None


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "::ffff:10.0.0.1", "2001:DB8::1"])
def test_a_plain_address_is_read(host: str) -> None:
    assert literal(host) == ip_address(host)


@pytest.mark.parametrize(
    "host",
    [
        "2130706433",
        "017700000001",
        "0x7f000001",
        "0x7f.1",
        "0X7F.0.0.1",
        "0177.0.0.1",
        "127.1",
        "127.0.0.01",
        "127.0.0.1.",
        "1.2.3.4.5",
        "256.0.0.1",
        "a.1",
        "fe80::1%eth0",
        "fe80::1%25eth0",
        "1::2::3",
        "a b",
        "a..b",
        "",
        ".",
        "%31%32%37.0.0.1",
        "b\N{LATIN SMALL LETTER U WITH DIAERESIS}cher.example",
        "\N{FULLWIDTH DIGIT ONE}27.0.0.1",
        "a" * 64,
        "a." * 127 + "ab",
        "a\n",
    ],
)
def test_another_spelling_of_a_host_is_refused(host: str) -> None:
    with pytest.raises(UpstreamRefused):
        literal(host)


def test_a_literal_address_is_checked() -> None:
    check_literal("8.8.8.8", [])
    check_literal("127.0.0.1", [LOOPBACK])
    with pytest.raises(UpstreamRefused, match=r"address not allowed: 127\.0\.0\.1"):
        check_literal("127.0.0.1", [])


class Answers(AbstractResolver):
    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=each, port=port, family=family, proto=0, flags=0)
            for each in self.addresses
        ]

    async def close(self) -> None:
        self.addresses = ()


async def test_of_several_addresses_the_allowed_ones_are_used() -> None:
    found = await GuardedResolver(Answers("10.0.0.1", "8.8.8.8", "::1"), []).resolve("index.example")
    assert [each["host"] for each in found] == ["8.8.8.8"]


async def test_a_name_with_only_refused_addresses_is_refused_by_name_and_address() -> None:
    with pytest.raises(UpstreamRefused, match=r"address not allowed: 10\.0\.0\.1 of index\.example"):
        await GuardedResolver(Answers("10.0.0.1", "::1"), [LOOPBACK]).resolve("index.example")


async def test_a_name_without_addresses_is_an_error_of_the_system() -> None:
    with pytest.raises(OSError, match="no address"):
        await GuardedResolver(Answers(), []).resolve("index.example")


async def test_closing_the_guard_closes_the_resolver() -> None:
    inner = Answers("8.8.8.8")
    await GuardedResolver(inner, []).close()
    assert inner.addresses == ()
