import pytest

from server.upstream.origins import Credentials, joined, masked, origin_of, parsed, split_credentials


def test_credentials_are_taken_out_of_a_url() -> None:
    url, credentials = split_credentials("https://a%40b:p%3Aw@Index.example/simple/a%2fb+c/?x#f")
    assert url == "https://Index.example/simple/a%2fb+c/?x#f"
    assert credentials == Credentials("a@b", "p:w", origin_of("https://index.example:443/"))
    assert "p:w" not in repr(credentials)
    assert split_credentials("https://index.example/a@b") == ("https://index.example/a@b", None)
    assert split_credentials("https://@index.example/") == ("https://index.example/", None)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://index.example/simple/", "https://index.example/simple/"),
        ("https://u:pw@index.example:1/a?b=c#d", "https://***@index.example:1/a?***"),
        ("https://token@index.example", "https://***@index.example"),
        ("//u:pw@index.example/", "//***@index.example/"),
        ("u:pw@index.example", "***@index.example"),
        ("https://u:p/w@index.example/", "https://***@index.example/"),
        ("https://u:p?w@index.example/", "https://***@index.example/"),
        ("https://index.example/@scope/a", "https://index.example/@scope/a"),
        ("", ""),
    ],
)
def test_a_masked_url_hides_userinfo_and_query(url: str, shown: str) -> None:
    assert masked(url) == shown


@pytest.mark.parametrize(
    ("base", "location", "target"),
    [
        ("https://index.example/a%2fb/", "c%2fd+e?q=+", "https://index.example/a%2fb/c%2fd+e?q=+"),
        ("https://index.example/a/b", "/c#f", "https://index.example/c"),
        ("https://index.example/a/b", "//files.example/c", "https://files.example/c"),
        ("https://index.example/a", " http://u:p@files.example:80/ ", "http://files.example/"),
        ("https://index.example/a", "?page=2", "https://index.example/a?page=2"),
        ("https://index.example/a/", "b c\udcc3\udca4", "https://index.example/a/b%20c%C3%A4"),
    ],
)
def test_a_location_is_joined_as_it_is_written(base: str, location: str, target: str) -> None:
    assert str(joined(parsed(base), location)) == target
