"""Users. What they write about themselves and their password hashes are private records."""

from attrs import frozen

from changelog.names import UserName


@frozen
class UserCreated:
    """A user was created, without a password."""

    user: UserName
    profile: bytes  # commitment to email, title, description and custom_data; b"" = all empty


@frozen
class ProfileChanged:
    """A user's profile was replaced; the record of the one before is erased."""

    user: UserName
    profile: bytes  # as in UserCreated


@frozen
class PasswordSet:
    """A password was set. The record of the one before is erased and all logins end."""

    user: UserName
    password: bytes  # commitment to the hash (PHC string format)


@frozen
class UserDeleted:
    """A user was deleted with all indexes; its records are erased."""

    user: UserName
