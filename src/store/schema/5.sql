-- When a manifest was pulled, by the tag that was asked for (empty: by its digest), and by whom last.
CREATE TABLE pulls (
    repository INTEGER NOT NULL,
    digest BLOB NOT NULL,
    tag TEXT NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    puller TEXT NOT NULL,
    PRIMARY KEY (repository, digest, tag)
) STRICT;

-- When a member of a group pulled it last.
CREATE TABLE group_pulls (
    repository INTEGER NOT NULL,
    digest BLOB NOT NULL,
    member_of TEXT NOT NULL,
    last_at INTEGER NOT NULL,
    PRIMARY KEY (repository, digest, member_of)
) STRICT;
CREATE INDEX group_pulls_member_of ON group_pulls (member_of);

-- Who stored a manifest through the gate last. A row of `pushes` is a right, and ends; this is a note.
CREATE TABLE stored_manifests (
    repository INTEGER NOT NULL,
    digest BLOB NOT NULL,
    stored_at INTEGER NOT NULL,
    pusher TEXT NOT NULL,
    PRIMARY KEY (repository, digest)
) STRICT;

-- From when on a tag pointed at what; an empty digest is nothing. Without a pusher it was only seen.
CREATE TABLE tag_moves (
    repository INTEGER NOT NULL,
    tag TEXT NOT NULL,
    moved_at INTEGER NOT NULL,
    digest BLOB NOT NULL,
    pusher TEXT,
    PRIMARY KEY (repository, tag, moved_at)
) STRICT;
CREATE INDEX tag_moves_digest ON tag_moves (repository, digest);

-- When a flag was taken away last, and by whom. The flag itself is gone then.
CREATE TABLE removed_flags (
    digest BLOB NOT NULL,
    repository TEXT NOT NULL,
    name TEXT NOT NULL,
    removed_by TEXT NOT NULL,
    removed_at INTEGER NOT NULL,
    PRIMARY KEY (digest, repository, name)
) STRICT;

-- A state that exists knows what tags point at, and who pushed lately.
INSERT INTO stored_manifests (repository, digest, stored_at, pusher)
    SELECT repository, digest, pushed_at, pusher FROM pushes
    WHERE pusher NOT LIKE '% sha256:%'
    AND EXISTS (SELECT 1 FROM manifests WHERE manifests.repository = pushes.repository
        AND manifests.digest = pushes.digest)
    AND NOT EXISTS (SELECT 1 FROM pushes AS later WHERE later.repository = pushes.repository
        AND later.digest = pushes.digest AND later.pusher NOT LIKE '% sha256:%'
        AND (later.pushed_at > pushes.pushed_at
            OR later.pushed_at = pushes.pushed_at AND later.pusher < pushes.pusher));
INSERT INTO tag_moves (repository, tag, moved_at, digest)
    SELECT repository, tag, seen_at, digest FROM pointers WHERE is_current = 1
    AND NOT EXISTS (SELECT 1 FROM pointers AS other WHERE other.repository = pointers.repository
        AND other.tag = pointers.tag AND other.is_current = 1 AND other.digest < pointers.digest);
