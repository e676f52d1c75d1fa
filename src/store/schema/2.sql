-- At most one row: the last good policy. `files` are its texts and paths, packed; `sha256` stands
-- for them.
CREATE TABLE policy (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    sha256 BLOB NOT NULL,
    loaded_at INTEGER NOT NULL,
    files BLOB NOT NULL
) STRICT;
