-- One row: what is counted and remembered once.
CREATE TABLE state (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    sequence INTEGER NOT NULL,
    latest_time INTEGER
) STRICT;
INSERT INTO state (one, sequence) VALUES (1, 0);

-- Times and lengths of time are in milliseconds. `revoked_in` is the number of the change that
-- revoked the family. `holds_until` is the earlier of `ends_at` and the end for want of use.
CREATE TABLE families (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    subject_kind TEXT NOT NULL,
    via TEXT,
    asserted TEXT NOT NULL,
    carried TEXT,
    bounds TEXT,
    auth_time INTEGER NOT NULL,
    audience TEXT,
    access_ttl INTEGER NOT NULL,
    made_at INTEGER NOT NULL,
    made_by TEXT NOT NULL,
    comment TEXT NOT NULL,
    parent TEXT,
    ends_at INTEGER NOT NULL,
    idle INTEGER,
    last_used_at INTEGER,
    last_used_from TEXT,
    holds_until INTEGER NOT NULL,
    revoked_at INTEGER,
    revoked_in INTEGER
) STRICT;
CREATE INDEX families_made_at ON families (made_at, id);
CREATE INDEX families_subject ON families (subject);
CREATE INDEX families_parent ON families (parent);
CREATE INDEX families_holds_until ON families (holds_until);
CREATE INDEX families_revoked_in ON families (revoked_in);

-- The refresh tokens of a family, from the first at place 0 on. One that was used has a successor.
CREATE TABLE refresh_tokens (
    hash BLOB PRIMARY KEY,
    family TEXT NOT NULL REFERENCES families (id) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    used_at INTEGER,
    UNIQUE (family, place)
) STRICT;

-- What is revoked and is no family. `kind` is `id`, `subject` or `everything`; `at` is until when
-- the access token would have held, or up to when the rest began.
CREATE TABLE revocations (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    at INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT;
CREATE INDEX revocations_sequence ON revocations (sequence);

CREATE TABLE services (
    name TEXT PRIMARY KEY,
    disabled INTEGER NOT NULL,
    made_at INTEGER NOT NULL,
    sequence INTEGER NOT NULL
) STRICT;

CREATE TABLE peers (
    name TEXT PRIMARY KEY,
    sequence INTEGER NOT NULL
) STRICT;
