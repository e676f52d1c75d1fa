-- What the configuration of an image says, for those who look for it; a manifest that has none has a
-- row all the same, as it was looked at. `labels` is a JSON object.
CREATE TABLE descriptions (
    digest BLOB PRIMARY KEY,
    created_at INTEGER,
    platform TEXT,
    labels TEXT NOT NULL
) STRICT;
CREATE INDEX manifests_digest ON manifests (digest);
