-- Login runs that were asked for together.
ALTER TABLE logins ADD COLUMN suite TEXT NOT NULL DEFAULT ''; -- empty: asked for alone
CREATE INDEX logins_suite ON logins (suite) WHERE suite <> '';
