from api.paths import Paths

PATHS = Paths(
    {
        "/": 1,
        "/v1/orders": 2,
        "/v1/orders/{id}": 3,
        "/v1/orders/pause": 4,
        "/v1/orders/{id}/submission": 5,
        "/v1/wallets/dydx/{address}": 6,
    }
)


def test_a_part_with_a_name_is_one_part_that_is_not_empty() -> None:
    assert PATHS.find("/v1/orders/a b") == (3, {"id": "a b"})
    assert PATHS.find("/v1/orders/7/submission") == (5, {"id": "7"})
    assert PATHS.find("/v1/wallets/dydx/x") == (6, {"address": "x"})
    for path in ("/v1/orders/", "/v1/orders//submission", "/v1/orders/a/b", "/v1/wallets/dydx"):
        assert PATHS.find(path)[0] is None


def test_what_is_spelled_out_goes_first() -> None:
    assert PATHS.find("/v1/orders/pause") == (4, {})
    assert PATHS.find("/v1/orders/{id}") == (3, {"id": "{id}"})


def test_only_whole_paths_are_found() -> None:
    assert PATHS.find("/") == (1, {})
    assert PATHS.find("/v1/orders") == (2, {})
    for path in ("", "/v1", "v1/orders", "//v1/orders", "/v1/orders/..", "/V1/orders", "*"):
        assert PATHS.find(path)[0] in (None, 3)
    assert PATHS.find("/v1/nothing") == (None, {})
