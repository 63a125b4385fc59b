"""Cards of older models in today's form. Nothing else knows how they looked."""


def upgrade_architecture(architecture: dict) -> dict:
    """An architecture as it is written today.

    Raises ValueError where this version can no longer build the network.
    """
    architecture = dict(architecture)
    if architecture.pop("products", 0):
        raise ValueError("its products of messages are gone; use the version that trained it")
    return architecture
