-- What the upstream holds, as far as the gate has seen it. Its changes have numbers of their own:
-- who follows what is revoked is not woken by each pull.
CREATE TABLE inventory (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    sequence INTEGER NOT NULL,
    listed_at INTEGER,
    passed_at INTEGER
) STRICT;
INSERT INTO inventory (one, sequence) VALUES (1, 0);

-- `crawled_at` is when all of it was looked at last; 0 is never.
CREATE TABLE repositories (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    crawled_at INTEGER NOT NULL
) STRICT;
CREATE INDEX repositories_crawled_at ON repositories (crawled_at);

-- Digests are the bytes of their hashes: 32 are of SHA-256, 64 of SHA-512. A pointer is current if
-- nothing later is known of its tag.
CREATE TABLE pointers (
    repository INTEGER NOT NULL,
    tag TEXT NOT NULL,
    digest BLOB NOT NULL,
    seen_at INTEGER NOT NULL,
    is_current INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    PRIMARY KEY (repository, tag, digest)
) STRICT;
CREATE INDEX pointers_digest ON pointers (repository, digest);
CREATE INDEX pointers_sequence ON pointers (sequence);
CREATE INDEX pointers_former ON pointers (seen_at) WHERE is_current = 0;

-- A tag that was deleted through the gate (1) and one that was found missing (0) are two things.
CREATE TABLE gone_tags (
    repository INTEGER NOT NULL,
    tag TEXT NOT NULL,
    is_deleted INTEGER NOT NULL,
    gone_at INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    PRIMARY KEY (repository, tag, is_deleted)
) STRICT;
CREATE INDEX gone_tags_sequence ON gone_tags (sequence);
CREATE INDEX gone_tags_gone_at ON gone_tags (gone_at);

CREATE TABLE gone_manifests (
    repository INTEGER NOT NULL,
    digest BLOB NOT NULL,
    gone_at INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    PRIMARY KEY (repository, digest)
) STRICT;
CREATE INDEX gone_manifests_sequence ON gone_manifests (sequence);
CREATE INDEX gone_manifests_gone_at ON gone_manifests (gone_at);

CREATE TABLE manifests (
    repository INTEGER NOT NULL,
    digest BLOB NOT NULL,
    facts BLOB NOT NULL,
    sequence INTEGER NOT NULL,
    PRIMARY KEY (repository, digest)
) STRICT;
CREATE INDEX manifests_sequence ON manifests (sequence);

CREATE TABLE pushes (
    repository INTEGER NOT NULL,
    digest BLOB NOT NULL,
    pusher TEXT NOT NULL,
    pushed_at INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    PRIMARY KEY (repository, digest, pusher)
) STRICT;
CREATE INDEX pushes_sequence ON pushes (sequence);
CREATE INDEX pushes_pushed_at ON pushes (pushed_at);

-- What only one replica at a time may do, and who does it until when.
CREATE TABLE leases (
    work TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    held_until INTEGER NOT NULL
) STRICT;
