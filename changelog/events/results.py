"""Results of tests that somebody ran on a distribution file."""

from attrs import frozen

from changelog.names import FileName, ProjectName, UserName, Version


@frozen
class TestResultUploaded:
    """Somebody tested a file and sent what came of it. It goes when the file is deleted or replaced."""

    __test__ = False  # pytest takes classes that are called Test... for tests

    index: int
    project: ProjectName
    version: Version
    filename: FileName  # of the distribution file
    name: FileName  # of the result, unlike those of all others of the release
    size: int  # bytes
    sha256: bytes  # 32 bytes
    upload_time: int  # microseconds
    uploader: UserName  # "" = anonymous
