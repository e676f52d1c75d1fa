-- Reports whose findings are not found by all that findings are found by today: by the name of the package
-- in lower case, and by its package URL, with its version and without it. Whoever opens the state writes
-- them anew.
CREATE TABLE unkeyed_reports (
    report INTEGER PRIMARY KEY
) STRICT;
INSERT INTO unkeyed_reports (report) SELECT id FROM reports;
