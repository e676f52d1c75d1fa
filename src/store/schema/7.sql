-- Reports whose findings are not found by all that findings are found by today: by the name of the package
-- in lower case, and by its package URL, with its version and without it. Whoever opens the state writes
-- them anew. A replica of the version before that goes on meanwhile writes reports that are found by what
-- they were found by before, until they are sent again.
CREATE TABLE unkeyed_reports (
    report INTEGER PRIMARY KEY
) STRICT;
INSERT INTO unkeyed_reports (report) SELECT id FROM reports;

-- What a group pulled is asked for from the last pull on.
DROP INDEX group_pulls_member_of;
CREATE INDEX group_pulls_member_of ON group_pulls (member_of, last_at);

-- Tokens that end soon are listed first.
CREATE INDEX families_ends_at ON families (ends_at, id);
