"""API tokens: what users let programs do in their name."""

from attrs import frozen

from changelog.names import IndexName, ProjectName, UserName


@frozen
class TokenCreated:
    """A token was made. It is never changed, only revoked."""

    token: str  # its id, 12 ASCII letters and digits, never used again
    user: UserName
    secret: bytes  # SHA-256 of the secret, 32 bytes; b"" = a macaroon, whose key follows from the one of TokenKeySet
    verbs: tuple[str, ...]  # what it is good for, empty = all that tokens can be good for
    indexes: tuple[IndexName, ...]  # empty = all
    projects: tuple[ProjectName, ...]  # empty = all
    not_before: int  # seconds since 1970, 0 = at once
    expires: int  # seconds since 1970, 0 = never
    description: bytes  # commitment to what the user calls it; b"" = nothing


@frozen
class TokenRevoked:
    """A token was revoked; the record of its description is erased."""

    token: str  # its id


@frozen
class TokenKeySet:
    """A key was set that macaroons are verified by. The one before is erased, and its macaroons end."""

    key: bytes  # commitment to 32 random bytes
