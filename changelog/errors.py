"""Every error of the domain; none of them knows HTTP (``server/errors.py`` has the one table).

LedgerpiError
├── InvalidInput              what was sent can not be meant
│   ├── InvalidName           a user, index, project, version or file name
│   ├── InvalidForm           an upload form or JSON body
│   ├── InvalidOption         an option of a user or an index
│   └── InvalidArchive        the bytes of a distribution file
├── Unauthenticated           who asks is not known
├── TooManyAttempts           wrong passwords came too fast; has ``retry_after_s``
├── Refused                   who asks may not
├── NotFound                  never was, as far as this node knows
│   └── Gone                  was there and was deleted
├── NotAcceptable             no form of the page that the client takes
├── Conflict                  contradicts what is there
│   ├── FileExists            the file name is taken by other bytes
│   └── Superseded            comes from the primary of an epoch that is over
├── TooLarge                  over a configured bound
├── StorageFull               no space left; nothing was written
├── NotYet                    entries that a client wants to see are not here yet
├── TooOld                    this node's copy of the log is older than it may be
├── OutcomeUnknown            the writer ended before it could answer
├── NotPrimary                this node does not take writes, or not yet
├── NotReplicated             a write is here, and so many copies as were wanted are not known to be
├── Unavailable               an upstream that has to be asked gives no usable answer
└── Damaged                   stored bytes are not what was stored
    ├── InvalidEntry          bytes that are no canonical entry
    ├── InvalidProof          a proof or signature that does not hold
    └── BlobDamaged           a blob is missing or has other bytes
"""


class LedgerpiError(Exception):
    """The base class; never raised itself."""


class InvalidInput(LedgerpiError, ValueError):  # noqa: N818 - errors are named as what they say
    """What was sent can not be meant."""


class InvalidName(InvalidInput):
    """A name breaks its grammar or bounds."""


class InvalidForm(InvalidInput):
    """An upload form or a JSON body can not be read."""


class InvalidOption(InvalidInput):
    """An option is unknown or has an impossible value."""


class InvalidArchive(InvalidInput):
    """A distribution file is not what its name says, or readers could disagree about it."""


class Unauthenticated(LedgerpiError):  # noqa: N818 - as above
    """No credentials, or wrong ones, where some are needed."""


class TooManyAttempts(LedgerpiError):  # noqa: N818 - as above
    """Wrong passwords came too fast; wait *retry_after_s* seconds."""

    def __init__(self, message: str, retry_after_s: int = 1) -> None:
        """Remember how long to wait."""
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Refused(LedgerpiError):  # noqa: N818 - as above
    """The caller is known and may not do this."""


class NotFound(LedgerpiError):  # noqa: N818 - as above
    """Nothing of that name is or was there."""


class Gone(NotFound):
    """It was there and was deleted."""


class NotAcceptable(LedgerpiError):  # noqa: N818 - as above
    """None of the media types that the client accepts is made here."""


class Conflict(LedgerpiError):  # noqa: N818 - as above
    """The wish contradicts what is there."""


class FileExists(Conflict):
    """The file name is taken by other bytes and the index is not volatile."""


class Superseded(Conflict):
    """It comes from the primary of an epoch that is over."""


class TooLarge(LedgerpiError):  # noqa: N818 - as above
    """Over a configured bound."""


class StorageFull(LedgerpiError):  # noqa: N818 - as above
    """No space left on the device; nothing was written."""


class NotYet(LedgerpiError):  # noqa: N818 - as above
    """Entries that a client wants to see have not come to this node yet."""


class TooOld(LedgerpiError):  # noqa: N818 - as above
    """The node's copy of the log is older than it may be for what is asked."""


class OutcomeUnknown(LedgerpiError):  # noqa: N818 - as above
    """The writer ended before it could answer: the change may or may not have happened."""


class NotPrimary(LedgerpiError):  # noqa: N818 - as above
    """This node does not take writes: another one took over, or it has yet to ask whether one did."""


class NotReplicated(LedgerpiError):  # noqa: N818 - as above
    """A write is durable here, and in time not so many voters said that they have it as it was to wait for."""


class Unavailable(LedgerpiError):  # noqa: N818 - as above
    """An upstream has to be asked, and gives no usable answer."""


class Damaged(LedgerpiError):  # noqa: N818 - as above
    """Stored bytes are not what was stored."""


class InvalidEntry(Damaged):
    """Bytes that are no canonical entry."""


class InvalidProof(Damaged):
    """A proof, root or signature that does not hold."""


class BlobDamaged(Damaged):
    """A blob is missing or has other bytes than its name says."""
