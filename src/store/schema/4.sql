-- What people and scanners said of images. Its changes have numbers of their own, as those of the
-- inventory have.
CREATE TABLE releases (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    sequence INTEGER NOT NULL
) STRICT;
INSERT INTO releases (one, sequence) VALUES (1, 0);

-- Each digest of which anything is or was kept, with the number of its last change. `first_seen` is
-- when the gate learned of the manifest, in whatever repository.
CREATE TABLE release_changes (
    digest BLOB PRIMARY KEY,
    first_seen INTEGER,
    sequence INTEGER NOT NULL
) STRICT;
CREATE INDEX release_changes_sequence ON release_changes (sequence);

-- A state that exists tells when a manifest was seen last, and so was there. Where it does not, the
-- latest time of all is the only one that is certain.
INSERT INTO release_changes (digest, first_seen, sequence)
    SELECT digest, MIN(at), 0 FROM (
        SELECT manifests.digest AS digest, pointers.seen_at AS at FROM manifests
            JOIN pointers ON pointers.repository = manifests.repository
            AND pointers.digest = manifests.digest
        UNION ALL SELECT manifests.digest, pushes.pushed_at FROM manifests
            JOIN pushes ON pushes.repository = manifests.repository
            AND pushes.digest = manifests.digest
        UNION ALL SELECT manifests.digest, state.latest_time FROM manifests
            JOIN state ON state.latest_time IS NOT NULL
    ) AS seen GROUP BY digest;

CREATE TABLE flags (
    digest BLOB NOT NULL,
    repository TEXT NOT NULL,
    name TEXT NOT NULL,
    set_by TEXT NOT NULL,
    set_from TEXT,
    set_at INTEGER NOT NULL,
    reason TEXT,
    link TEXT,
    expires_at INTEGER,
    PRIMARY KEY (digest, repository, name)
) STRICT;

CREATE TABLE exceptions (
    id TEXT PRIMARY KEY,
    gate TEXT NOT NULL,
    repository TEXT NOT NULL,
    image TEXT NOT NULL,
    made_by TEXT NOT NULL,
    made_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    reason TEXT NOT NULL,
    removed_at INTEGER,
    removed_by TEXT
) STRICT;
CREATE INDEX exceptions_expires_at ON exceptions (expires_at);

CREATE TABLE exception_digests (
    id TEXT NOT NULL REFERENCES exceptions (id) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (id, place)
) STRICT;
CREATE INDEX exception_digests_digest ON exception_digests (digest);

CREATE TABLE passed_gates (
    digest BLOB NOT NULL,
    gate TEXT NOT NULL,
    passed_at INTEGER NOT NULL,
    PRIMARY KEY (digest, gate)
) STRICT;
CREATE INDEX passed_gates_gate ON passed_gates (gate, passed_at, digest);

-- `findings` are all that the report found, packed, and `counts` how many that are of each severity.
CREATE TABLE reports (
    id INTEGER PRIMARY KEY,
    digest BLOB NOT NULL,
    repository TEXT NOT NULL,
    uploader TEXT NOT NULL,
    scanner BLOB NOT NULL,
    scanner_name TEXT NOT NULL,
    scanner_version TEXT,
    scanner_database INTEGER,
    uploader_groups TEXT NOT NULL,
    format TEXT NOT NULL,
    made_at INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    recognized INTEGER NOT NULL,
    counts TEXT NOT NULL,
    findings BLOB NOT NULL,
    UNIQUE (digest, repository, uploader, scanner)
) STRICT;
CREATE INDEX reports_uploader ON reports (uploader, digest, repository, made_at);

-- The findings to search by, each under all names of the vulnerability in lower case, and under its
-- package: `found_by` is a hash of either, as strangers may write names of any length. `badness` is 0
-- for the worst. `place` is that in the report.
CREATE TABLE finding_keys (
    found_by BLOB NOT NULL,
    badness INTEGER NOT NULL,
    report INTEGER NOT NULL,
    place INTEGER NOT NULL,
    PRIMARY KEY (found_by, badness, report, place)
) STRICT;
CREATE INDEX finding_keys_report ON finding_keys (report);

CREATE TABLE findings (
    report INTEGER NOT NULL,
    place INTEGER NOT NULL,
    vulnerability TEXT NOT NULL,
    package TEXT NOT NULL,
    version TEXT NOT NULL,
    fixed_in TEXT,
    PRIMARY KEY (report, place)
) STRICT;

-- Since when a finding is known of a digest, also where no report tells of it any more. `finding` is
-- a hash of its name and package.
CREATE TABLE finding_times (
    digest BLOB NOT NULL,
    finding BLOB NOT NULL,
    first_seen INTEGER NOT NULL,
    PRIMARY KEY (digest, finding)
) STRICT;

-- `name` is a hash of the document's, `document` all that it says, packed.
CREATE TABLE statements (
    digest BLOB NOT NULL,
    repository TEXT NOT NULL,
    made_by TEXT NOT NULL,
    name BLOB NOT NULL,
    made_at INTEGER NOT NULL,
    document BLOB NOT NULL,
    PRIMARY KEY (digest, repository, made_by, name)
) STRICT;

-- One that has not ended has a `due_at`: from when on it may be taken, which is when its lease ends
-- while somebody has it. `turn` is 0 for those that somebody waits for.
CREATE TABLE scans (
    digest BLOB NOT NULL,
    repository TEXT NOT NULL,
    cause TEXT NOT NULL,
    turn INTEGER NOT NULL,
    requested_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    due_at INTEGER,
    holder TEXT,
    failing_since INTEGER,
    reason TEXT,
    ended_at INTEGER,
    PRIMARY KEY (digest, repository)
) STRICT;
CREATE INDEX scans_due ON scans (turn, requested_at) WHERE due_at IS NOT NULL;
CREATE INDEX scans_ended_at ON scans (ended_at) WHERE ended_at IS NOT NULL;
