"""A host that may serve weights redirects to an address of the user's machine or network.

Outcome: succeeded; prevented since. Names that resolve to such addresses are stated in docs/security.md.
"""

import pytest

from mlestar.runners.supply.weights.address import WeightsError, check_scheme

INSIDE = ("127.0.0.1:8443", "localhost", "10.0.0.1", "192.168.1.1", "169.254.169.254", "[::1]", "[::ffff:10.0.0.1]")


@pytest.mark.parametrize("host", INSIDE)
@pytest.mark.parametrize("scheme", ["https", "http"])
def test_the_redirect_is_refused(scheme: str, host: str) -> None:
    with pytest.raises(WeightsError, match="of this machine or of a private network"):
        check_scheme(f"{scheme}://{host}/x.pth", first="https://weights.example/x.pth")


def test_a_host_of_the_users_network_may_be_named() -> None:
    check_scheme("https://10.0.0.2/x.pth", first="https://10.0.0.1/x.pth")
    check_scheme("https://cdn.example/x.pth", first="https://weights.example/x.pth")
