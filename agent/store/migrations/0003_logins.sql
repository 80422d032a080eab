-- Login runs: what was asked, each step as it happened, what came of it.
CREATE TABLE logins (
	id         TEXT PRIMARY KEY,
	started_at INTEGER NOT NULL,
	ended_at   INTEGER NOT NULL, -- 0: under way
	token_id   TEXT    NOT NULL, -- of who asked for it; empty: an identity of the operating system
	name       TEXT    NOT NULL,
	json       BLOB    NOT NULL
) STRICT;
CREATE INDEX logins_started ON logins (started_at);
