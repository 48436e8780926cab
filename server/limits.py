"""What an API token is limited to: what may be done, on which indexes, about which projects."""

from attrs import frozen

READ = "read"  # pages, files, metadata and JSON
UPLOAD = "upload"  # files, documentation and metadata of releases
TEST = "test"  # results of tests
DELETE = "delete"  # delete and yank files, releases and projects, and set the status of projects
ADMIN = "admin"  # create, modify and delete indexes
ACCOUNT = "account"  # users, passwords, tokens, the cluster: what no token may
VERBS = (READ, UPLOAD, TEST, DELETE, ADMIN)  # what a token can be good for

_WHOLE = (READ, UPLOAD, TEST)  # may begin before it is known which project it is about

Only = tuple[str, ...] | None  # None = no limit, () = nothing


@frozen
class Limits:
    """The most that a token is good for."""

    verbs: Only = None  # some of VERBS
    indexes: Only = None  # "user/index"
    projects: Only = None  # normalized names

    def allow(self, verb: str, index: str, project: str) -> bool:
        """Return whether the token is good for *verb* on *index* about *project*, "" = of no one or not known yet."""
        return (
            verb in (VERBS if self.verbs is None else self.verbs)
            and (self.indexes is None or not index or index in self.indexes)
            and (self.projects is None or (project in self.projects if project else verb in _WHOLE))
        )

    def narrowed(self, other: "Limits") -> "Limits":
        """Return what both allow."""
        return Limits(
            _both(self.verbs, other.verbs), _both(self.indexes, other.indexes), _both(self.projects, other.projects)
        )


NO_LIMITS = Limits()


def _both(one: Only, other: Only) -> Only:
    if one is None or other is None:
        return other if one is None else one
    return tuple(item for item in one if item in other)
