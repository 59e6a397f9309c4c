"""What of it a viewer may see, decided in this one place (R125)."""

from __future__ import annotations

from shared.http.auth import Principal


def sees(viewer: Principal, region: str) -> bool:
    """Whether a region's answers are for these eyes.

    A survey knows neither product line nor customer level, so who is limited to some sees none of them.
    """
    return sees_all(viewer) or (
        viewer.regions is not None
        and region in viewer.regions
        and viewer.product_lines is None
        and viewer.customer_levels is None
    )


def sees_all(viewer: Principal) -> bool:
    """Whether figures of the whole house are for these eyes."""
    return viewer.regions is None and viewer.product_lines is None and viewer.customer_levels is None
